package schedule_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/schedule"
	"github.com/databasement/backup/storage"
)

// A backup each night at two in Berlin, of which those of a month are kept. It also runs at once here, as that of last night is missing.
func Example() {
	b, err := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None}) // in earnest: localfs or s3fs, and a key
	if err != nil {
		log.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		log.Fatal(err)
	}
	dump := func(ctx context.Context, w io.Writer) error { // in earnest: the Dump of package database
		_, err := io.WriteString(w, "CREATE TABLE events ();")
		return err
	}
	job := schedule.Backup(b, "shop", nil, dump, &backup.Retention{KeepLast: 7, KeepWithin: 30 * 24 * time.Hour})
	job.Cron, job.Location = "0 2 * * *", berlin

	ctx, stop := context.WithCancel(context.Background()) // in earnest: signal.NotifyContext
	defer stop()
	s, err := schedule.New([]schedule.Job{job}, &schedule.Options{
		Volume:    b.Volume(),
		OnSuccess: func(r schedule.Run) { fmt.Println(r.Job, "is backed up, try", r.Try); stop() },
		OnFailure: func(_ schedule.Run, err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: shop is backed up, try 1
}
