//go:build linux

package dbserver

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestServers(t *testing.T) {
	for name, launch := range map[string]func(string) (*Server, error){"postgres": Postgres, "mariadb": MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			stopped, err := launch(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("answers after %v", time.Since(begun))
			stopped.Stop()
			killed, err := launch(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			killed.Kill()
			for _, s := range []*Server{stopped, killed} {
				if err := syscall.Kill(s.PID, 0); err != syscall.ESRCH {
					t.Errorf("process %d is still there: %v", s.PID, err)
				}
				if _, err := os.Stat(fmt.Sprintf("/proc/%d", s.PID)); err == nil {
					t.Errorf("process %d is in /proc", s.PID)
				}
			}
		})
	}
}
