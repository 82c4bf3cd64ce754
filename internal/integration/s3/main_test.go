package s3

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestMain has no variable of AWS's in the environment but AWS_CA_BUNDLE, which PITFALLS 37 is about, and says how MinIO ran.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") && name != "AWS_CA_BUNDLE" {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if child := os.Getenv(childVariable); child != "" {
		os.Exit(uploadForEver(child))
	}
	code := m.Run()
	if err := errors.Join(plain.stop(), tls.stop(), gateway.stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
