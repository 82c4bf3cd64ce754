package crypto

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// What every Encryptor does, and every one that authenticates.

type iotestSource struct {
	io.Reader
	size int64
}

func (s iotestSource) Size() int64                       { return s.size }
func (s iotestSource) ReadAt([]byte, int64) (int, error) { return 0, errors.New("not in order") }

// unread counts reads.
type unread struct{ reads int }

func (u *unread) Read([]byte) (int, error) { u.reads++; return 0, io.EOF }

// failAfter takes n bytes, then fails; it fails the test when closed.
type failAfter struct {
	t   testing.TB
	n   int
	err error
}

func (f *failAfter) Write(p []byte) (int, error) {
	if len(p) <= f.n {
		f.n -= len(p)
		return len(p), nil
	}
	return f.n, f.err
}

func (f *failAfter) Close() error { f.t.Error("destination was closed"); return nil }

// each runs a test on every Encryptor.
func each(t *testing.T, test func(t *testing.T, e Encryptor)) {
	for _, e := range []Encryptor{None, AES256(NewKeyring(testKey(1))), testAge(t)} {
		t.Run(e.Name(), func(t *testing.T) { test(t, e) })
	}
}

func TestReaders(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		plain := pattern(70_000)
		stored, enc := encrypt(t, e, testIdentity, plain)
		for what, r := range map[string]io.Reader{
			"one byte": iotest.OneByteReader(bytes.NewReader(stored)),
			"half":     iotest.HalfReader(bytes.NewReader(stored)),
			"data err": iotest.DataErrReader(bytes.NewReader(stored)),
		} {
			got, err := decrypt(t, e, Envelope{Header: enc.Header()}, iotestSource{r, int64(len(stored))})
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s: %d bytes, %v", what, len(got), err)
			}
		}
		d, err := e.Open(t.Context(), Envelope{Header: enc.Header()})
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Decrypt(t.Context(), sourceOf(stored))
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, plain); err != nil {
			t.Error(err)
		}
	})
}

// TestConcurrent has one Encryptor make and read several streams at once. The bubble does not end while a
// goroutine is left.
func TestConcurrent(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		synctest.Test(t, func(t *testing.T) {
			for i := range 8 {
				go func() {
					plain := pattern(i * 200_000)
					stored, enc := encrypt(t, e, testIdentity, plain)
					got, err := decrypt(t, e, Envelope{Header: enc.Header()}, iotestSource{iotest.HalfReader(bytes.NewReader(stored)), int64(len(stored))})
					if err != nil || !bytes.Equal(got, plain) {
						t.Errorf("stream %d: %d bytes, %v", i, len(got), err)
					}
				}()
			}
			synctest.Wait()
		})
	})
}

// TestSourceFails: an error of the source is given as it is, whichever it is, io.ErrUnexpectedEOF of a
// download too, and at the very end too (PITFALLS 36).
func TestSourceFails(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		stored, enc := encrypt(t, e, testIdentity, pattern(1000))
		boom := errors.New("connection reset")
		for _, want := range []error{boom, io.ErrUnexpectedEOF} {
			for _, n := range []int{0, 5, len(enc.Header()), len(enc.Header()) + 20, len(stored) - 1, len(stored)} {
				r := io.MultiReader(bytes.NewReader(stored[:n]), iotest.ErrReader(want))
				got, err := decrypt(t, e, Envelope{Header: enc.Header()}, iotestSource{r, int64(len(stored))})
				wantErr(t, "cut download", err, want)
				if errors.Is(err, ErrDamaged) {
					t.Errorf("after %d bytes: a failed download is called damage: %v", n, err)
				}
				if e != None && n < len(stored) && len(got) > 0 {
					t.Errorf("after %d bytes: released %d bytes", n, len(got))
				}
			}
		}
	})
}

// TestHostileSource: readers that break the rules give errors, not panics or endless loops.
func TestHostileSource(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		stored, enc := encrypt(t, e, testIdentity, pattern(1000))
		for what, r := range map[string]io.Reader{
			"too many": readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }),
			"negative": readerFunc(func(p []byte) (int, error) { return -1, nil }),
		} {
			if _, err := decrypt(t, e, Envelope{Header: enc.Header()}, iotestSource{r, int64(len(stored))}); err == nil || err == io.EOF {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// TestNoProgress: a source that gives nothing and does not end is an error where the loop is ours.
func TestNoProgress(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	stored, enc := encrypt(t, e, testIdentity, pattern(1000))
	idle := readerFunc(func([]byte) (int, error) { return 0, nil })
	for _, n := range []int{0, len(stored) - 1} {
		src := iotestSource{io.MultiReader(bytes.NewReader(stored[:n]), idle), int64(len(stored))}
		_, err := decrypt(t, e, Envelope{Header: enc.Header()}, src)
		wantErr(t, "idle source", err, io.ErrNoProgress)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestDestinationFails: the first error is kept, nothing is written after it, and Close reports it.
func TestDestinationFails(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		boom := errors.New("disk full")
		for _, n := range []int{0, 1, 100, 70_000} {
			dst := &failAfter{t, n, boom}
			enc, err := e.Encrypt(t.Context(), dst, testIdentity)
			if err != nil {
				t.Fatal(err)
			}
			plain := pattern(3 * segmentSize)
			if n, err := enc.Write(plain); n == len(plain) || !errors.Is(err, boom) {
				t.Errorf("Write = %d, %v", n, err)
			}
			dst.n = 1 << 30
			_, err = enc.Write(plain)
			wantErr(t, "second Write", err, boom)
			wantErr(t, "Close", enc.Close(), boom)
			if dst.n != 1<<30 {
				t.Errorf("wrote %d bytes after an error", 1<<30-dst.n)
			}
		}
		dst := writerFunc(func(p []byte) (int, error) { return len(p) / 2, nil })
		enc, err := e.Encrypt(t.Context(), dst, testIdentity)
		if err != nil {
			t.Fatal(err)
		}
		_, err = enc.Write(pattern(3 * segmentSize))
		wantErr(t, "short write", err, io.ErrShortWrite)
		wantErr(t, "Close after a short write", enc.Close(), io.ErrShortWrite)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		stop := errors.New("operator said stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		var dst bytes.Buffer
		enc, err := e.Encrypt(ctx, &dst, testIdentity)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enc.Write([]byte("begun")); err != nil {
			t.Fatal(err)
		}
		before := dst.Len()
		stored, enc2 := encrypt(t, e, testIdentity, pattern(3*segmentSize))
		d, err := e.Open(ctx, Envelope{Header: enc2.Header()})
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Decrypt(ctx, sourceOf(stored))
		if err != nil {
			t.Fatal(err)
		}
		cancel(stop)
		_, err = io.ReadAll(r)
		wantErr(t, "Read", err, stop)
		wantErr(t, "Close", enc.Close(), stop)
		if dst.Len() != before {
			t.Errorf("cancelled, but wrote %d bytes", dst.Len()-before)
		}
		if e == None {
			return
		}
		if _, err := e.Encrypt(ctx, &dst, testIdentity); !errors.Is(err, stop) {
			t.Errorf("Encrypt: %v", err)
		}
		if _, err := e.Open(ctx, Envelope{Header: enc2.Header()}); !errors.Is(err, stop) {
			t.Errorf("Open: %v", err)
		}
	})
}

func TestAfterClose(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		stored, enc := encrypt(t, e, testIdentity, []byte("plain"))
		if _, err := enc.Write([]byte("more")); err == nil {
			t.Error("Write after Close succeeded")
		}
		d, err := e.Open(t.Context(), Envelope{Header: enc.Header()})
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Decrypt(t.Context(), sourceOf(stored))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("Read after Close = %d, %v", n, err)
		}
	})
}

// TestTruncated cuts a small stream after every byte.
func TestTruncated(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		stored, enc := encrypt(t, e, testIdentity, pattern(300))
		for n := range len(stored) {
			headers := [][]byte{enc.Header(), nil}
			if e.Name() == "age" && !longTests {
				headers = headers[n%2:][:1]
			}
			for _, header := range headers {
				src := iotestSource{bytes.NewReader(stored[:n]), int64(len(stored))}
				got, err := decrypt(t, e, Envelope{Header: header}, src)
				wantErr(t, "cut stream", err, io.ErrUnexpectedEOF)
				if e != None && len(got) > 0 {
					t.Errorf("cut after %d: released %d bytes", n, len(got))
				}
			}
		}
	})
}

// bits yields the bits to flip in n bytes: all, or one of each byte where that takes long and the format is
// not ours (all with BACKUP_LONG_TESTS).
func bits(n int, e Encryptor) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n * 8 {
			if (longTests || e.Name() == "aes256" || i%8 == i/8%8) && !yield(i) {
				return
			}
		}
	}
}

// TestBitFlips flips every bit of a small stream, and appends to it.
func TestBitFlips(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		if e == None {
			return // authenticates nothing
		}
		stored, enc := encrypt(t, e, testIdentity, pattern(100))
		try := func(what string, changed []byte, bare bool) {
			t.Helper()
			got, err := decrypt(t, e, Envelope{Header: enc.Header()}, sourceOf(changed))
			wantErr(t, what, err, ErrDamaged)
			if len(got) > 0 {
				t.Errorf("%s: released %d bytes", what, len(got))
			}
			if !bare {
				return
			}
			got, err = decrypt(t, e, Envelope{}, sourceOf(changed))
			if err == nil || len(got) > 0 {
				t.Errorf("%s, bare: %d bytes, %v", what, len(got), err)
			}
		}
		for i := range bits(len(stored), e) {
			changed := slices.Clone(stored)
			changed[i/8] ^= 1 << (i % 8)
			try("flipped bit", changed, i < len(enc.Header())*8 || i%8 == i/8%8)
		}
		try("appended byte", append(slices.Clone(stored), 0), true)
		try("appended stream", append(slices.Clone(stored), stored...), true)
		for i := range bits(len(enc.Header()), e) {
			changed := enc.Header()
			changed[i/8] ^= 1 << (i % 8)
			if _, err := decrypt(t, e, Envelope{Header: changed}, sourceOf(stored)); err == nil {
				t.Errorf("bit %d of the manifest's header: no error", i)
			}
		}
	})
}

// TestHeadersExchanged gives each of two streams the header of the other.
func TestHeadersExchanged(t *testing.T) {
	each(t, func(t *testing.T, e Encryptor) {
		if e == None {
			return // has no header
		}
		a, encA := encrypt(t, e, testIdentity, []byte("one"))
		b, encB := encrypt(t, e, testIdentity, []byte("two"))
		mixed := append(encA.Header(), b[len(encB.Header()):]...)
		for what, try := range map[string]struct {
			header, stored []byte
		}{
			"manifest of a, stream b":         {encA.Header(), b},
			"manifest of b, stream a":         {encB.Header(), a},
			"header of a before body b":       {encA.Header(), mixed},
			"header of a before body b, bare": {nil, mixed},
		} {
			got, err := decrypt(t, e, Envelope{Header: try.header}, sourceOf(try.stored))
			wantErr(t, what, err, ErrDamaged)
			if len(got) > 0 {
				t.Errorf("%s: released %q", what, got)
			}
		}
	})
}

// checkSeal checks a seal's round trip, limits, and that no bit of seal or body can change.
func checkSeal(t *testing.T, e Encryptor, enc Encryption, d Decryption) {
	t.Helper()
	body, secret := []byte("the manifest's first line"), pattern(32)
	seal, err := enc.Seal(body, secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Unseal(body, seal); err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("Unseal = %x, %v", got, err)
	}
	if bytes.Contains(seal, secret[:8]) {
		t.Error("the secret is in the seal")
	}
	for i := range bits(len(seal), e) {
		changed := slices.Clone(seal)
		changed[i/8] ^= 1 << (i % 8)
		if got, err := d.Unseal(body, changed); err == nil || got != nil {
			t.Errorf("bit %d of the seal: %v", i, err)
		}
	}
	for i := range len(body) * 8 {
		changed := slices.Clone(body)
		changed[i/8] ^= 1 << (i % 8)
		_, err := d.Unseal(changed, seal)
		wantErr(t, "flipped bit of the body", err, ErrDamaged)
	}
	for n := 0; n < len(seal); n += 1 + n/50 {
		_, err := d.Unseal(body, seal[:n])
		wantErr(t, "cut seal", err, ErrDamaged)
	}
	_, err = d.Unseal(body, make([]byte, MaxSeal+1))
	wantErr(t, "long seal", err, ErrDamaged)
	if _, err := enc.Seal(body, make([]byte, MaxSeal)); err == nil {
		t.Error("a seal longer than MaxSeal was made")
	}
	empty, err := enc.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Unseal(nil, empty); err != nil || len(got) != 0 {
		t.Errorf("empty seal: %x, %v", got, err)
	}
}
