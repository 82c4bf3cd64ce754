package database

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const objectsHeader = "--\n-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -\n--\n\n"

// What pg_dump writes around large objects is left out, and nothing else is, wherever it looks the same.
func TestOneTransaction(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for name, test := range map[string]struct{ dump, want string }{
		"empty":                       {"", ""},
		"large objects":               {objectsHeader + "BEGIN;\n\nSELECT lo(0, '\\x" + long + "');\n\nCOMMIT;\n\n", objectsHeader + "\nSELECT lo(0, '\\x" + long + "');\n\n\n"},
		"as Windows ends lines":       {objectsHeader + "BEGIN;\r\nx;\r\nCOMMIT;\r\n", objectsHeader + "x;\r\n"},
		"of version 17":               {"-- Data for Name: 1..9; Type: BLOBS; Schema\nBEGIN;\nx;\nCOMMIT;", "-- Data for Name: 1..9; Type: BLOBS; Schema\nx;\n"},
		"before any":                  {"BEGIN;\nCOMMIT;\n", ""},
		"in the next entry":           {objectsHeader + "BEGIN;\nCOMMIT;\n--\n-- Name: x; Type: TABLE\nCOMMIT;\n", objectsHeader + "--\n-- Name: x; Type: TABLE\nCOMMIT;\n"},
		"in rows":                     {"COPY \"a\nb\" (\"x\") FROM stdin;\n" + objectsHeader + "COMMIT;\n\\.\n", ""},
		"in long rows":                {"COPY x FROM stdin;\n'" + long + "\n" + objectsHeader + "COMMIT;\n\\.\n", ""},
		"after rows with a quote":     {"COPY x FROM stdin;\nit's $x$ \" \n\\.\n" + objectsHeader + "COMMIT;\n", "COPY x FROM stdin;\nit's $x$ \" \n\\.\n" + objectsHeader},
		"after a long COPY":           {"COPY x (" + long + ") FROM stdin;\n'\n\\.\n" + objectsHeader + "COMMIT;\n", "COPY x (" + long + ") FROM stdin;\n'\n\\.\n" + objectsHeader},
		"in a string":                 {"COMMENT IS 'it''s\n" + objectsHeader + "COMMIT;\n';\n", ""},
		"in a name":                   {"CREATE TABLE \"it's \"\"\n" + objectsHeader + "COMMIT;\n\";\n", ""},
		"in a function":               {"AS $_$\n" + objectsHeader + "COMMIT;\n $$ $_x$ ' $_$;\n", ""},
		"in a function with dollars":  {"AS $$\n $1 $_$\n" + objectsHeader + "COMMIT;\n$$;\n", ""},
		"in one with a long line":     {"AS $_X$" + long + long[:1<<16-20] + "$_X\n" + objectsHeader + "COMMIT;\n$_X$;\n", ""},
		"after functions":             {"AS $$ ' $$ AS $a1$ $$ ' $a1$ x$y$z $1 $2;\n" + objectsHeader + "COMMIT;\n", "AS $$ ' $$ AS $a1$ $$ ' $a1$ x$y$z $1 $2;\n" + objectsHeader},
		"after a comment":             {"-- it's - \" $$\nx - 1;\n" + objectsHeader + "COMMIT;\n", "-- it's - \" $$\nx - 1;\n" + objectsHeader},
		"after doubled":               {"x '''' \"\"\"\" E'\\\\';\n" + objectsHeader + "COMMIT;\n", "x '''' \"\"\"\" E'\\\\';\n" + objectsHeader},
		"but not a part of one":       {objectsHeader + "COMMIT; x\n COMMIT;\nCOMMIT", ""},
		"nor what only begins a line": {objectsHeader + long + "COMMIT;\n" + long[:1<<16] + "COMMIT;\n", ""},
	} {
		want := test.want
		if want == "" {
			want = test.dump
		}
		for how, read := range map[string]func(io.Reader) io.Reader{"at once": asItIs, "byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader} {
			got, err := io.ReadAll(newOneTransaction(read(strings.NewReader(test.dump))))
			if err != nil || string(got) != want {
				t.Errorf("%s, %s: %d bytes, want %d, %v: %.200q", name, how, len(got), len(want), err, got)
			}
		}
	}
}

func asItIs(r io.Reader) io.Reader { return r }

// The error of what is read comes after all that was read, and stays.
func TestOneTransactionFails(t *testing.T) {
	damaged := errors.New("damaged")
	for _, text := range []string{"", "COMMIT", "x;\n" + objectsHeader + "COMMIT;\n"} {
		r := newOneTransaction(io.MultiReader(strings.NewReader(text), iotest.ErrReader(damaged)))
		got, err := io.ReadAll(r)
		if want := strings.TrimSuffix(text, "COMMIT;\n"); string(got) != want || !errors.Is(err, damaged) {
			t.Errorf("%q came as %q, %v", text, got, err)
		}
		if n, err := r.Read(make([]byte, 9)); n != 0 || !errors.Is(err, damaged) {
			t.Errorf("%d, %v", n, err)
		}
	}
}
