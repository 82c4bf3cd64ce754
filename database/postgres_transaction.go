package database

import (
	"bufio"
	"bytes"
	"io"
)

// oneTransaction reads a plain dump without the BEGIN and COMMIT that pg_dump writes around large objects: that COMMIT would end
// psql's --single-transaction in the middle. Only lines of SQL in an entry of large objects are left out, and nothing
// that is within a string, a function or the rows of a table.
type oneTransaction struct {
	in      *bufio.Reader
	out     []byte // what is next
	err     error  // what follows it
	midline bool
	objects bool // in an entry of large objects
	syntax  plainSyntax
}

func newOneTransaction(r io.Reader) *oneTransaction {
	return &oneTransaction{in: bufio.NewReaderSize(r, 64<<10)}
}

func (o *oneTransaction) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if len(o.out) == 0 {
			if o.err != nil {
				break
			}
			o.next()
		}
		m := copy(b[n:], o.out)
		n, o.out = n+m, o.out[m:]
	}
	if n == 0 && len(b) > 0 {
		return 0, o.err
	}
	return n, nil
}

// next reads a line, or the next part of one that is long.
func (o *oneTransaction) next() {
	part, err := o.in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		o.err = err
	}
	begins := !o.midline
	o.midline = err == bufio.ErrBufferFull
	if begins && o.syntax.in == inSQL && o.left(bytes.TrimRight(part, "\r\n")) {
		return
	}
	o.syntax.follow(part, begins)
	o.out = part
}

// left reports whether a line of SQL is to be left out.
func (o *oneTransaction) left(line []byte) bool {
	data := bytes.HasPrefix(line, []byte("-- Data for Name: "))
	if data || bytes.HasPrefix(line, []byte("-- Name: ")) { // an entry begins
		o.objects = data && bytes.Contains(line, []byte("; Type: BLOBS;"))
	}
	return o.objects && (string(line) == "BEGIN;" || string(line) == "COMMIT;")
}

// plainSyntax follows what the text of a plain dump is in. pg_dump doubles quotes within quotes, and writes no comments but --.
type plainSyntax struct {
	in      byte   // one of those below, or the quote that ends it
	tag     []byte // $tag$, or what there is of one
	matched int    // bytes of the tag, at the end of what was read in a $
	copies  bool   // the statement is a COPY
	last    byte   // what stood before in SQL
}

const (
	inSQL     byte = 0
	inComment byte = '-'
	inDollars byte = '$'
	inRows    byte = 'r'
)

// follow goes over a line, or the next part of one.
func (s *plainSyntax) follow(part []byte, begins bool) {
	if s.in == inRows {
		if begins && string(bytes.TrimRight(part, "\r\n")) == `\.` {
			s.in = inSQL
		}
		return
	}
	if begins && s.in == inSQL {
		s.copies = bytes.HasPrefix(part, []byte("COPY "))
	}
	for _, c := range part {
		switch s.in {
		case inSQL:
			s.sql(c)
		case inComment:
			if c == '\n' {
				s.in, s.last = inSQL, c
			}
		case inDollars:
			s.dollars(c)
		case c: // the closing quote
			s.in = inSQL
		}
	}
}

func (s *plainSyntax) sql(c byte) {
	named := s.last == '_' || s.last == '$' || s.last >= 0x80 || s.last-'0' < 10 || s.last|0x20-'a' < 26 // as a part of a name
	switch {
	case c == '\'', c == '"':
		s.in, s.tag = c, nil
	case c == '-' && s.last == '-':
		s.in = inComment
	case c == '\n' && s.last == ';' && s.copies:
		s.in = inRows
	case c == '$' && s.tag != nil:
		s.in, s.tag, s.matched = inDollars, append(s.tag, c), 0
	case c == '$' && !named:
		s.tag = []byte{c}
	case s.tag != nil && len(s.tag) < 1<<10 && (c == '_' || c >= 0x80 || c|0x20-'a' < 26 || len(s.tag) > 1 && c-'0' < 10):
		s.tag = append(s.tag, c)
	default:
		s.tag = nil
	}
	if c != '\r' {
		s.last = c
	}
}

// dollars looks for the tag that ends what it began. A tag has no $ but its first and last.
func (s *plainSyntax) dollars(c byte) {
	switch {
	case c == s.tag[s.matched]:
		s.matched++
	case c == '$':
		s.matched = 1
	default:
		s.matched = 0
	}
	if s.matched == len(s.tag) {
		s.in, s.tag = inSQL, nil
	}
}
