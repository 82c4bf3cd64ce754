//go:build linux

package dbserver

import (
	"crypto/sha1"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// MariaDB starts a MariaDB server in dir, an empty directory. Its administrator is admin, by a password.
func MariaDB(dir string) (*Server, error) {
	s, err := startMariaDB(dir)
	if err != nil {
		return nil, fmt.Errorf("start MariaDB: %w", err)
	}
	return s, nil
}

func startMariaDB(dir string) (*Server, error) {
	mariadbd, err := program("mariadbd", "mariadb-server", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
	if err != nil {
		return nil, err
	}
	install, err := program("mariadb-install-db", "mariadb-server", "/usr/bin/mariadb-install-db")
	if err != nil {
		return nil, err
	}
	a, err := owner("mysql")
	if err != nil {
		return nil, err
	}
	home, err := a.directory(dir, "mariadb")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(home, "data")
	if err := a.run(home, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=socket",
		"--skip-test-db", "--user="+a.name); err != nil {
		return nil, err
	}
	// As mysql_native_password has it; the file's reader stumbles over the password itself.
	inner := sha1.Sum([]byte(password))
	hash := sha1.Sum(inner[:])
	first := filepath.Join(home, "first.sql")
	statements := fmt.Sprintf("CREATE USER admin@'%%' IDENTIFIED BY PASSWORD '*%X';\n"+
		"GRANT ALL ON *.* TO admin@'%%' WITH GRANT OPTION;\n", hash)
	if err := os.WriteFile(first, []byte(statements), 0o644); err != nil { // in a directory that is closed
		return nil, err
	}
	server := a.command(home, mariadbd, "--no-defaults", "--datadir="+data, "--socket="+filepath.Join(home, "sock"),
		"--pid-file="+filepath.Join(home, "pid"), "--bind-address=127.0.0.1", "--skip-name-resolve", "--port="+strconv.Itoa(port),
		"--init-file="+first, "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=128M",
		"--max-allowed-packet=64M", "--character-set-server=utf8mb4", "--event-scheduler=OFF")
	return start(server, syscall.SIGTERM, port, "mysql", "admin", func() error {
		ready := exec.Command("mariadb", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", strconv.Itoa(port),
			"-u", "admin", "-e", "SELECT 1")
		ready.Env = append(os.Environ(), "MYSQL_PWD="+password)
		out, err := ready.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}
