package database

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/database"
)

// The example postgres-to-s3 as a program: it stores, prunes and restores, says all that is missing, and no password.
func TestPostgresToS3(t *testing.T) {
	program := filepath.Join(t.TempDir(), "postgres-to-s3")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/postgres-to-s3")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	postgres.up(t)
	m, name := store.get(t), "example-"+strings.ToLower(rand.Text())
	newBucket(t, name)
	if err := postgres.at(t, "Übung 1").Prepare(t.Context(), database.DropAndCreate); err != nil {
		t.Fatal(err)
	}
	postgres.sql(t, "Übung 1", "CREATE TABLE goods (name text); INSERT INTO goods VALUES ('Größe')")
	key := crypto.NewKey().Encode()
	env := append(os.Environ(), "DATABASE_URL="+postgres.server.URL+"/"+url.PathEscape("Übung 1"), "BACKUP_VOLUME=s3://"+name+"/x", "BACKUP_ENCRYPTION_KEY="+key,
		"AWS_ENDPOINT_URL_S3="+m.Endpoint, "AWS_USE_PATH_STYLE_ENDPOINT=true", "AWS_ACCESS_KEY_ID="+m.AccessKey, "AWS_SECRET_ACCESS_KEY="+m.SecretKey,
		"AWS_REGION=us-east-1", "BACKUP_KEEP_LAST=1")
	run := func(env []string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, args...)
		var out bytes.Buffer
		cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out
		err := cmd.Run()
		for _, secret := range []string{postgres.password(), key, m.SecretKey} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%q prints a secret: %s", args, &out)
			}
		}
		return out.String(), err
	}
	first, err := run(env)
	if err != nil || !strings.Contains(first, "stored ") {
		t.Fatalf("%v: %s", err, first)
	}
	if second, err := run(env); err != nil || !strings.Contains(second, "pruned ") {
		t.Fatalf("%v: %s", err, second)
	}
	postgres.sql(t, "Übung 1", "DROP TABLE goods")
	ref := strings.Fields(first)[1]
	latest := ref[:strings.LastIndex(ref, "/")] + "/latest"
	if out, err := run(env, "restore", latest); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := postgres.sql(t, "Übung 1", "SELECT name FROM goods"); got != "Größe\n" {
		t.Errorf("restored: %q", got)
	}
	out, err := run(os.Environ())
	if err == nil || !strings.Contains(out, "BACKUP_") {
		t.Errorf("without settings: %v: %s", err, out)
	}
}
