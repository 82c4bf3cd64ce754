package crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/databasement/backup/crypto"
)

// Encrypt a stream with a key, and decrypt it.
func ExampleAES256() {
	key, err := crypto.ParseKey("base64:BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY=") // from a secret store
	if err != nil {
		log.Fatal(err)
	}
	e := crypto.AES256(crypto.NewKeyring(key))
	ctx := context.Background()

	var stored bytes.Buffer
	w, err := e.Encrypt(ctx, &stored, crypto.Identity{Name: "shop", ID: "20261122t175500123z-7f3a9c2e"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "CREATE TABLE orders (id int);"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	d, err := e.Open(ctx, crypto.Envelope{Header: w.Header()})
	if err != nil {
		log.Fatal(err)
	}
	r, err := d.Decrypt(ctx, bytes.NewReader(stored.Bytes()))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	plain, err := io.ReadAll(r)
	fmt.Println(string(plain), err)
	// Output: CREATE TABLE orders (id int); <nil>
}

// Rotate keys: the new one encrypts, the old one still decrypts.
func ExampleNewKeyring() {
	oldKey, newKey := crypto.NewKey(), crypto.NewKey()
	ring := crypto.NewKeyring(newKey, oldKey)
	fmt.Println(ring.KeyID() == newKey.ID(), len(ring.KeyIDs()))
	// Output: true 2
}

// A missing key is an error that names it.
func ExampleKeyError() {
	ctx := context.Background()
	key, _ := crypto.ParseKey("base64:BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY=")
	w, err := crypto.AES256(crypto.NewKeyring(key)).Encrypt(ctx, io.Discard, crypto.Identity{})
	if err != nil {
		log.Fatal(err)
	}
	stranger := crypto.AES256(crypto.NewKeyring(crypto.NewKey()))
	_, err = stranger.Open(ctx, crypto.Envelope{Header: w.Header()})
	var missing *crypto.KeyError
	if errors.As(err, &missing) {
		fmt.Println("needs", missing.Need)
	}
	// Output: needs [c0b768ea9c752e40]
}

// A key is never printed: only its id is.
func ExampleKey() {
	key, err := crypto.ParseKey("base64:BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY=")
	fmt.Println(key, err)
	_, err = crypto.ParseKey("base64:c2hvcnQ=")
	fmt.Println(err)
	// Output:
	// Key(c0b768ea9c752e40) <nil>
	// encryption key: is 5 bytes long, must be 32
}

// Encrypt to a public recipient: a machine that makes backups need not be able to read them.
func ExampleAge() {
	recipients, err := crypto.ParseRecipients(strings.NewReader("# ops\nage1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef\n"))
	if err != nil {
		log.Fatal(err)
	}
	e := crypto.Age(&crypto.AgeOptions{Recipients: recipients})
	var stored bytes.Buffer
	w, err := e.Encrypt(context.Background(), &stored, crypto.Identity{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "secret"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Close(), strings.HasPrefix(stored.String(), "age-encryption.org/v1\n"))
	_, err = e.Open(context.Background(), crypto.Envelope{Header: w.Header()})
	fmt.Println(err)
	// Output:
	// <nil> true
	// no key for this age stream: needs an identity for "X25519", have none
}
