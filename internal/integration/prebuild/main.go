// Command prebuild builds the servers that the tests run, so that the tests need not, which have only
// minutes: go run ./prebuild. What is built already stays.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/databasement/backup/internal/integration/gobuild"
)

func main() {
	for _, p := range []gobuild.Program{gobuild.MinIO, gobuild.VersityGW} {
		binary, err := p.Binary(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, "prebuild:", err)
			os.Exit(1)
		}
		fmt.Println("prebuild: there is", binary)
	}
}
