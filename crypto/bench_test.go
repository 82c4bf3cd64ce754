package crypto

import (
	"bytes"
	"io"
	"testing"
)

// The raw benchmarks are the ceiling: AES-256-GCM over 1 MiB in place. Compare within one run:
//
//	go test -run xxx -bench . -count 5 -benchtime 0.3s
const benchSize = 32 << 20

func BenchmarkRawSeal(b *testing.B) {
	aead, nonce, buf := newGCM(make([]byte, KeySize)), make([]byte, nonceSize), make([]byte, segmentSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		for range benchSize / segmentSize {
			aead.Seal(buf[:0], nonce, buf[:nextSegment], nil)
		}
	}
}

func BenchmarkRawOpen(b *testing.B) {
	aead, nonce, buf := newGCM(make([]byte, KeySize)), make([]byte, nonceSize), make([]byte, segmentSize)
	sealed := aead.Seal(nil, nonce, buf[:nextSegment], nil)
	b.SetBytes(benchSize)
	for b.Loop() {
		for range benchSize / segmentSize {
			copy(buf, sealed) // reading it is part of the work
			if _, err := aead.Open(buf[:0], nonce, buf, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func benchEncrypt(b *testing.B, e Encryptor) {
	p := pattern(256 << 10)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		enc, err := e.Encrypt(b.Context(), io.Discard, testIdentity)
		if err != nil {
			b.Fatal(err)
		}
		for range benchSize / len(p) {
			if _, err := enc.Write(p); err != nil {
				b.Fatal(err)
			}
		}
		if err := enc.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDecrypt(b *testing.B, e Encryptor) {
	stored, enc := encrypt(b, e, testIdentity, pattern(benchSize))
	p := make([]byte, 256<<10)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		d, err := e.Open(b.Context(), Envelope{Header: enc.Header()})
		if err != nil {
			b.Fatal(err)
		}
		r, err := d.Decrypt(b.Context(), bytes.NewReader(stored))
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Read(p)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		r.Close()
	}
}

func BenchmarkAES256Encrypt(b *testing.B) { benchEncrypt(b, AES256(NewKeyring(testKey(1)))) }
func BenchmarkAES256Decrypt(b *testing.B) { benchDecrypt(b, AES256(NewKeyring(testKey(1)))) }
func BenchmarkAgeEncrypt(b *testing.B)    { benchEncrypt(b, testAge(b)) }
func BenchmarkAgeDecrypt(b *testing.B)    { benchDecrypt(b, testAge(b)) }
