package database_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/database"
	"github.com/databasement/backup/storage"
)

// One snapshot of each database of a server. It is committed only if pg_dump has ended with status 0.
func ExampleServer() {
	ctx := context.Background()
	b, err := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.AES256(crypto.NewKeyring(crypto.NewKey()))})
	if err != nil {
		log.Fatal(err)
	}
	server, err := database.Postgres("postgres://backup@db.example.com", nil) // the password is in ~/.pgpass, say
	if err != nil {
		log.Fatal(err)
	}
	names, err := server.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range names {
		db := server.Select(name)
		info, err := db.Describe(ctx)
		if err != nil {
			log.Fatal(err)
		}
		snap, err := b.CreateFunc(ctx, backup.CleanName(name), &backup.CreateOptions{
			Ext: db.Ext(), OriginalName: name, Source: info.Source, Labels: info.Labels,
		}, db.Dump)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(snap.Ref())
	}
}

// A load into a database that is made for it. If the snapshot turns out damaged, at its last byte even, nothing is loaded.
func ExampleServer_load() {
	ctx := context.Background()
	b, err := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	if err != nil {
		log.Fatal(err)
	}
	db, err := database.Postgres("postgres://admin@db.example.com/shop_restored", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Prepare(ctx, database.Create); err != nil {
		log.Fatal(err)
	}
	if err := b.RestoreFunc(ctx, "shop/latest", db.Load); err != nil {
		log.Fatal(err)
	}
}

// Files as an archive that tar restores.
func ExampleTarFS() {
	b, err := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	if err != nil {
		log.Fatal(err)
	}
	files := database.TarFS(fstest.MapFS{"uploads/a.txt": {Data: []byte("text"), Mode: 0o644}}, nil)
	snap, err := b.CreateFunc(context.Background(), "uploads", &backup.CreateOptions{Ext: files.Ext()}, files.Dump)
	if err != nil {
		log.Fatal(err)
	}
	var tar bytes.Buffer
	err = b.Restore(context.Background(), snap.Ref(), &tar)
	fmt.Println(snap.Details.Ext, bytes.Contains(tar.Bytes(), []byte("uploads/a.txt")), err)
	// Output: .tar true <nil>
}
