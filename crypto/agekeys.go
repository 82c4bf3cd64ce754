package crypto

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// maxKeyFile is the longest file of recipients or identities in bytes.
const maxKeyFile = 1 << 20

// maxWorkFactor bounds what a passphrase-encrypted stream can make its reader do: 2^20 rounds of scrypt take
// 1 GiB of memory for some seconds. age itself writes 2^18.
const maxWorkFactor = 20

// AgePassphrase gives options to encrypt with a passphrase and to decrypt what was encrypted with it. Deriving
// the key takes about a second and 256 MiB each time; streams that ask for more than 1 GiB are refused. A
// passphrase cannot be combined with other recipients.
func AgePassphrase(passphrase string) (*AgeOptions, error) {
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("age: %w", err)
	}
	i, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("age: %w", err)
	}
	i.SetMaxWorkFactor(maxWorkFactor)
	return &AgeOptions{Recipients: []age.Recipient{r}, Identities: []age.Identity{i}}, nil
}

// ParseRecipients reads a file of recipients of at most 1 MiB, one a line: native (age1…), hybrid post-quantum (age1pq1…), or SSH
// public keys (ssh-ed25519 and ssh-rsa). Empty lines and those that begin with # are skipped. Errors
// name the line and do not repeat it.
func ParseRecipients(r io.Reader) ([]age.Recipient, error) {
	var all []age.Recipient
	for n, line := range keyLines(r) {
		if line.err != nil {
			return nil, fmt.Errorf("age recipients: %w", line.err)
		}
		recipient, err := parseRecipient(line.text)
		if err != nil {
			return nil, fmt.Errorf("age recipients, line %d: %w", n, err)
		}
		all = append(all, recipient)
	}
	if len(all) == 0 {
		return nil, errors.New("age recipients: there is none in the file")
	}
	return all, nil
}

func parseRecipient(s string) (r age.Recipient, err error) {
	switch {
	case strings.HasPrefix(s, "age1pq1"):
		r, err = age.ParseHybridRecipient(s)
	case strings.HasPrefix(s, "age1"):
		r, err = age.ParseX25519Recipient(s)
	case strings.HasPrefix(s, "ssh-"):
		return parseSSHRecipient(s)
	case strings.HasPrefix(s, "AGE-SECRET-KEY-"), strings.HasPrefix(s, "-----BEGIN"):
		return nil, errors.New("is an identity, which is secret: give its recipient (age-keygen -y, ssh-keygen -y)")
	default:
		return nil, errors.New("is no recipient: must begin with age1, ssh-ed25519 or ssh-rsa")
	}
	if err != nil {
		return nil, errors.New("recipient is malformed")
	}
	return r, nil
}

// ParseIdentities reads a file of identities (secret keys) of at most 1 MiB: native (AGE-SECRET-KEY-1…) and hybrid
// post-quantum (AGE-SECRET-KEY-PQ-1…) ones, one a line, and SSH private keys in PEM without a
// passphrase. Empty lines and those that begin with # are skipped. Errors name the line and do not
// repeat it.
func ParseIdentities(r io.Reader) ([]age.Identity, error) {
	var all []age.Identity
	var block pemBlock
	for n, line := range keyLines(r) {
		if line.err != nil {
			return nil, fmt.Errorf("age identities: %w", line.err)
		}
		var identity age.Identity
		var err error
		switch {
		case block.add(n, line.text):
			if !block.whole() {
				continue
			}
			n = block.line
			identity, err = parsePEM(block.take())
		default:
			identity, err = parseIdentity(line.text)
		}
		if err != nil {
			return nil, fmt.Errorf("age identities, line %d: %w", n, err)
		}
		all = append(all, identity)
	}
	if block.text != nil {
		return nil, fmt.Errorf("age identities, line %d: key has no -----END line", block.line)
	}
	if len(all) == 0 {
		return nil, errors.New("age identities: there is none in the file")
	}
	return all, nil
}

func parseIdentity(s string) (i age.Identity, err error) {
	switch {
	case strings.HasPrefix(s, "AGE-SECRET-KEY-PQ-1"):
		i, err = age.ParseHybridIdentity(s)
	case strings.HasPrefix(s, "AGE-SECRET-KEY-1"):
		i, err = age.ParseX25519Identity(s)
	case strings.HasPrefix(s, "age1"), strings.HasPrefix(s, "ssh-"):
		return nil, errors.New("is a recipient, which cannot decrypt: give the identity, its secret key")
	default:
		return nil, errors.New("is no identity: must begin with AGE-SECRET-KEY-1, AGE-SECRET-KEY-PQ-1 or -----BEGIN")
	}
	if err != nil { // it may contain the secret
		return nil, errors.New("identity is malformed")
	}
	return i, nil
}

// parsePEM reads one -----BEGIN … -----END block.
func parsePEM(text []byte) (age.Identity, error) {
	if bytes.Contains(text, []byte("BEGIN AGE ENCRYPTED FILE")) {
		return nil, errors.New("is an encrypted age file: decrypt it first (age -d)")
	}
	return parseSSHIdentity(text)
}

// pemBlock gathers the lines of one private key.
type pemBlock struct {
	line int // where it begins
	text []byte
	end  bool
}

// add takes a line that belongs to a block, and says whether it does.
func (b *pemBlock) add(n int, s string) bool {
	if b.text == nil {
		if !strings.HasPrefix(s, "-----BEGIN") {
			return false
		}
		b.line = n
	}
	b.text = append(append(b.text, s...), '\n')
	b.end = strings.HasPrefix(s, "-----END")
	return true
}

func (b *pemBlock) whole() bool { return b.end }

func (b *pemBlock) take() []byte {
	text := b.text
	*b = pemBlock{}
	return text
}

type keyLine struct {
	text string
	err  error
}

// keyLines yields the lines of a key file that say something, with their numbers from 1.
func keyLines(r io.Reader) func(yield func(int, keyLine) bool) {
	return func(yield func(int, keyLine) bool) {
		limited := &io.LimitedReader{R: r, N: maxKeyFile + 1}
		s := bufio.NewScanner(limited)
		s.Buffer(nil, maxKeyFile+2)
		for n := 1; s.Scan() && limited.N > 0; n++ {
			if text := strings.TrimSpace(s.Text()); text != "" && !strings.HasPrefix(text, "#") {
				if !yield(n, keyLine{text: text}) {
					return
				}
			}
		}
		err := s.Err()
		if limited.N == 0 {
			err = fmt.Errorf("file is longer than %d bytes", maxKeyFile)
		}
		if err != nil {
			yield(0, keyLine{err: err})
		}
	}
}

// recipientID names a recipient that has a text; others have no id.
func recipientID(r age.Recipient) string {
	s, ok := r.(fmt.Stringer)
	if !ok {
		return ""
	}
	return textID(s.String())
}

// identityID names an identity by its recipient, or by its kind where there is none. An identity's own text is
// its secret.
func identityID(i age.Identity) string {
	switch i := i.(type) {
	case *age.X25519Identity:
		return recipientID(i.Recipient())
	case *age.HybridIdentity:
		return recipientID(i.Recipient())
	case interface{ recipientText() string }:
		return textID(i.recipientText())
	case *age.ScryptIdentity:
		return "a passphrase"
	}
	return "another identity"
}

func textID(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
