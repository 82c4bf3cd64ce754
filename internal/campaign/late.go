package campaign

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/databasement/backup/crypto"
)

// late is a format whose first bytes are known last, as those of 7z: the length of what follows, in the clear. It takes the seal
// from another one.
type late struct{ crypto.Encryptor }

const lateSize = 8

func (late) Name() string      { return "late" }
func (late) Extension() string { return ".late" }
func (late) HeadSize() int     { return lateSize }

func (l late) Encrypt(ctx context.Context, dst io.Writer, id crypto.Identity) (crypto.Encryption, error) {
	seal, err := l.Encryptor.Encrypt(ctx, io.Discard, id)
	if err != nil {
		return nil, err
	}
	if _, err := dst.Write(make([]byte, lateSize)); err != nil {
		return nil, err
	}
	return &lateEncryption{Encryption: seal, dst: dst}, nil
}

func (l late) Open(ctx context.Context, e crypto.Envelope) (crypto.Decryption, error) {
	seal, err := l.Encryptor.Open(ctx, e)
	return lateDecryption{seal}, err
}

type lateEncryption struct {
	crypto.Encryption
	dst io.Writer
	n   uint64
}

func (e *lateEncryption) Write(p []byte) (int, error) {
	n, err := e.dst.Write(p)
	e.n += uint64(n)
	return n, err
}

func (e *lateEncryption) Head() ([]byte, error) {
	return binary.BigEndian.AppendUint64(nil, e.n), nil
}

type lateDecryption struct{ crypto.Decryption }

func (lateDecryption) Decrypt(_ context.Context, src crypto.Source) (io.ReadCloser, error) {
	var head [lateSize]byte
	if _, err := io.ReadFull(src, head[:]); err != nil {
		return nil, err
	}
	if n := binary.BigEndian.Uint64(head[:]); n != uint64(src.Size()-lateSize) {
		return nil, fmt.Errorf("%w: %d bytes are to follow, not %d", crypto.ErrDamaged, n, src.Size()-lateSize)
	}
	return io.NopCloser(src), nil
}
