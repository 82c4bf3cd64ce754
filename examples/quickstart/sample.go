package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// sampleDump makes what pg_dump makes of a small shop's orders: a few MB, the same each time.
func sampleDump() []byte {
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"Ada", "Björn", "Chloé", "Dmitri", "Eva", "Søren", "Zoë", "明"}
	states := []string{"paid", "open", "sent", "returned"}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

	var b bytes.Buffer
	b.WriteString("CREATE TABLE orders (id bigint, customer text, email text, placed timestamptz, total numeric, state text, token uuid);\n")
	b.WriteString("COPY orders FROM stdin;\n")
	for id := range 40_000 {
		name := names[random.IntN(len(names))]
		at = at.Add(time.Duration(random.IntN(900)) * time.Second)
		fmt.Fprintf(&b, "%d\t%s\tcustomer%d@example.com\t%s\t%d.%02d\t%s\t%08x-%04x-4000-8000-%012x\n",
			id+1, name, random.IntN(5000), at.Format(time.RFC3339), random.IntN(900), random.IntN(100),
			states[random.IntN(len(states))], random.Uint32(), random.IntN(1<<16), random.Int64N(1<<48))
	}
	b.WriteString("\\.\n")
	return b.Bytes()
}

// compare returns an error unless both files hold the same bytes.
func compare(a, b string) error {
	fa, err := os.Open(a)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return err
	}
	defer fb.Close()
	ra, rb := bufio.NewReaderSize(fa, 1<<20), bufio.NewReaderSize(fb, 1<<20)
	for at := int64(0); ; at++ {
		x, errA := ra.ReadByte()
		y, errB := rb.ReadByte()
		switch {
		case errA == io.EOF && errB == io.EOF:
			return nil
		case errA != nil && errA != io.EOF, errB != nil && errB != io.EOF:
			return errors.Join(errA, errB)
		case x != y || errA != errB:
			return fmt.Errorf("%s and %s differ at byte %d", a, b, at)
		}
	}
}
