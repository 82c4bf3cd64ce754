package compress_test

import (
	"bytes"
	"fmt"
	"io"
	"log"

	"github.com/databasement/backup/compress"
)

func Example() {
	c := compress.Zstd(&compress.ZstdOptions{Level: 6})

	var stored bytes.Buffer
	w, err := c.Compress(&stored)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "CREATE TABLE t (id int);\n"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil { // the end of the stream is written here
		log.Fatal(err)
	}

	r, err := c.Decompress(&stored)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	plain, err := io.ReadAll(r)
	fmt.Printf("%s%v\n", plain, err)
	// Output:
	// CREATE TABLE t (id int);
	// <nil>
}

func ExampleByName() {
	c, err := compress.ByName("xz", 9)
	fmt.Println(c.Name(), c.Extension(), c.Params(), err)
	_, err = compress.ByName("gzip", 11)
	fmt.Println(err)
	// Output:
	// xz .xz map[level:9] <nil>
	// gzip has no level 11: choose 1 to 9
}

func ExampleByExtension() {
	c, ok := compress.ByExtension(".gz")
	fmt.Println(c.Name(), ok)
	// Output: gzip true
}
