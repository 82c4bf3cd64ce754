package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

// A backup of a stream to a directory, and its restore.
func Example() {
	dir, err := os.MkdirTemp("", "backup-example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	vol, err := localfs.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer vol.Close()

	key := crypto.NewKey() // or crypto.ParseKey(os.Getenv("BACKUP_ENCRYPTION_KEY"))
	b, err := backup.New(vol, &backup.Options{Encryptor: crypto.AES256(crypto.NewKeyring(key))})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	snap, err := b.Create(ctx, "shop", strings.NewReader("CREATE TABLE events ();"), &backup.CreateOptions{Ext: ".sql"})
	if err != nil {
		log.Fatal(err)
	}
	var restored bytes.Buffer
	if err := b.Restore(ctx, snap.Ref(), &restored); err != nil {
		log.Fatal(err)
	}
	fmt.Println(snap.Name, restored.String())
	// Output: shop CREATE TABLE events ();
}

// CreateFunc commits when the producer says that it succeeded, not when its output ends.
func ExampleBackup_CreateFunc() {
	b, _ := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	_, err := b.CreateFunc(context.Background(), "shop", nil, func(ctx context.Context, w io.Writer) error {
		dump := exec.CommandContext(ctx, "sh", "-c", "echo half of it; exit 3")
		dump.Stdout = w
		return dump.Run()
	})
	exit := (*exec.ExitError)(nil)
	fmt.Println(errors.As(err, &exit))
	list, _ := b.List(context.Background(), "shop")
	fmt.Println(len(list), "snapshots")
	// Output:
	// true
	// 0 snapshots
}

// RestoreFunc gives a reader whose io.EOF means that everything was verified.
func ExampleBackup_RestoreFunc() {
	b, _ := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	ctx := context.Background()
	if _, err := b.Create(ctx, "shop", strings.NewReader("one\ntwo\n"), nil); err != nil {
		log.Fatal(err)
	}
	err := b.RestoreFunc(ctx, "shop/latest", func(ctx context.Context, r io.Reader) error {
		text, err := io.ReadAll(r)
		fmt.Printf("%q\n", text)
		return err
	})
	fmt.Println(err)
	// Output:
	// "one\ntwo\n"
	// <nil>
}

// A plan is data: nothing is removed until Prune.
func ExampleBackup_PlanPrune() {
	b, _ := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	ctx := context.Background()
	for range 3 {
		if _, err := b.Create(ctx, "shop", strings.NewReader("…"), nil); err != nil {
			log.Fatal(err)
		}
	}
	plan, err := b.PlanPrune(ctx, "shop", backup.Retention{KeepLast: 2})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range plan.Decisions {
		fmt.Println(d.Remove, d.Reason)
	}
	// Output:
	// false among the last 2
	// false among the last 2
	// true no rule keeps it
}

// A monitoring check: is there a backup of the last day?
func ExampleBackup_Latest() {
	b, _ := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	_, err := b.Latest(context.Background(), "shop", 24*time.Hour)
	fmt.Println(errors.Is(err, backup.ErrNotExist))
	// Output: true
}

func ExampleCleanName() {
	fmt.Println(backup.CleanName("shop/eu"))
	fmt.Println(backup.CleanName("My Shop (EU)"))
	// Output:
	// shop/eu
	// my-shop-eu-6439fd43
}
