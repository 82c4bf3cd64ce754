package crypto

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/databasement/backup/internal/sink"
)

// None stores streams as they are: in the clear, without a header and unsealed.
var None Encryptor = none{}

type none struct{}

func (none) Name() string      { return "none" }
func (none) Extension() string { return "" }
func (none) KeyIDs() []string  { return nil }

func (none) Encrypt(ctx context.Context, dst io.Writer, _ Identity) (Encryption, error) {
	return &noEncryption{Sink: sink.Sink{Ctx: ctx, Dst: dst}}, nil
}

func (none) Open(_ context.Context, e Envelope) (Decryption, error) {
	if len(e.Header) > 0 || len(e.Wraps) > 0 {
		return nil, errors.New("none: the stream has an encryption header: open it with the Encryptor that wrote it")
	}
	return noDecryption{}, nil
}

var errNoSeal = errors.New("none: does not seal manifests")

type noEncryption struct {
	sink.Sink
	closed bool
}

func (e *noEncryption) Header() []byte { return nil }

func (e *noEncryption) Seal(_, _ []byte) ([]byte, error) { return nil, errNoSeal }

func (e *noEncryption) Write(p []byte) (int, error) {
	if e.closed {
		return 0, errClosed
	}
	return e.Sink.Write(p)
}

// Close has nothing to write, but must not report the end of a stream that was cancelled.
func (e *noEncryption) Close() error {
	e.closed = true
	return e.Failed()
}

type noDecryption struct{}

func (noDecryption) Unseal(_, _ []byte) ([]byte, error) { return nil, errNoSeal }

func (noDecryption) Decrypt(ctx context.Context, src Source) (io.ReadCloser, error) {
	return &noReader{intake: intake{ctx: ctx, src: src}, size: src.Size()}, nil
}

// noReader holds the stream to the size that it has by its source, having nothing else to tell an end by.
type noReader struct {
	intake
	size, read int64
	closed     bool
}

func (r *noReader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, errClosed
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.intake.Read(p)
	r.read += int64(n)
	switch {
	case r.read > r.size:
		r.err = fmt.Errorf("none: stream is longer than its %d bytes: %w", r.size, ErrDamaged)
	case err == io.EOF && r.read < r.size:
		r.err = fmt.Errorf("none: stream ends after %d of %d bytes: %w", r.read, r.size, io.ErrUnexpectedEOF)
	}
	return n, r.err
}

func (r *noReader) Close() error {
	r.closed = true
	return nil
}
