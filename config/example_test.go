package config_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/databasement/backup/config"
)

func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	settings := map[string]string{"BACKUP_VOLUME": "file://" + dir, "BACKUP_ENCRYPTION": "none", "BACKUP_KEEP_DAILY": "14"}

	// FromEnv does this with the environment.
	c, err := config.Parse(func(variable string) (value, origin string) { return settings[variable], "example" })
	if err != nil {
		log.Fatal(err) // all that is wrong, at once
	}
	b, closer, err := c.Open(context.Background(), config.Writing, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer closer.Close()
	snap, err := b.Create(context.Background(), "shop", strings.NewReader("dump"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(snap.Details.Encryption.Name, c.Retention)
	// Output: none daily 14, in UTC
}

func ExampleParse() {
	_, err := config.Parse(func(variable string) (value, origin string) {
		return map[string]string{"BACKUP_VOLUME": "/srv", "BACKUP_COMPRESSION": "rar", "BACKUP_JOB_TRIES": "many"}[variable], "example"
	})
	fmt.Println(err)
	// Output:
	// BACKUP_VOLUME: the volume must be s3://bucket/prefix or file:///path, an absolute path in which %, ? and # are written as %25, %3F and %23
	// BACKUP_COMPRESSION: "rar" is none of zstd, gzip, xz, none, encrypted
	// BACKUP_ENCRYPTION: nothing says how to encrypt: set BACKUP_ENCRYPTION_KEY, or BACKUP_ENCRYPTION=age with BACKUP_AGE_RECIPIENTS_FILE, or BACKUP_ENCRYPTION=none to store in the clear
	// BACKUP_JOB_TRIES: "many" is not a whole number between 1 and 100
}
