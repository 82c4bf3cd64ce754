package localfs_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/databasement/backup/localfs"
)

func Example() {
	tmp, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)

	ctx := context.Background()
	v, err := localfs.Open(filepath.Join(tmp, "backups"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Put(ctx, "shop/orders.sql", strings.NewReader("SELECT 1;\n")); err != nil {
		log.Fatal(err)
	}
	for obj, err := range v.List(ctx, "shop/") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(obj.Name, obj.Size)
	}
	// Output: shop/orders.sql 10
}
