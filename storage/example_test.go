package storage_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"

	"github.com/databasement/backup/storage"
)

func ExampleCreate() {
	ctx, v := context.Background(), storage.Memory()

	w := storage.Create(ctx, v, "greeting.txt")
	defer w.Close() // without Commit nothing is stored
	fmt.Fprintln(w, "hello")
	o, err := w.Commit()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.Name, o.Size)
	// Output: greeting.txt 6
}

func ExampleFS() {
	ctx, v := context.Background(), storage.Memory()
	w := storage.Create(ctx, v, "shop/orders.csv")
	defer w.Close()
	if _, err := w.Commit(); err != nil {
		log.Fatal(err)
	}

	_ = fs.WalkDir(storage.FS(ctx, v), ".", func(path string, _ fs.DirEntry, err error) error {
		fmt.Println(path)
		return err
	})
	// Output:
	// .
	// shop
	// shop/orders.csv
}
