package backup

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
)

func TestSmoke(t *testing.T) {
	vol := storage.Memory()
	b, err := New(vol, &Options{Encryptor: crypto.AES256(crypto.NewKeyring(crypto.NewKey()))})
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 20<<20)
	rand.Read(data)
	snap, err := b.Create(t.Context(), "shop", bytes.NewReader(data), &CreateOptions{Ext: ".sql"})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := b.Restore(t.Context(), snap.Ref(), &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), data) {
		t.Fatal("differs")
	}
	if _, err := b.Verify(t.Context(), "shop/latest", nil); err != nil {
		t.Fatal(err)
	}
	items, err := b.Check(t.Context())
	t.Log(items, err)
	if err := b.Delete(t.Context(), snap.Ref()); err != nil {
		t.Fatal(err)
	}
	objects, _ := storage.ListAll(t.Context(), vol, "")
	t.Log(objects)
}
