package main

import (
	"errors"
	"strings"
	"testing"
)

// A script that does not get the ID hears that there is a snapshot all the same.
func TestCommittedButNotPrinted(t *testing.T) {
	s := newShell(t)
	var stderr strings.Builder
	status := run(t.Context(), []string{"backup", "--name=shop"}, strings.NewReader("data"), closedOutput{}, &stderr, func(name string) string { return s.env[name] })
	ref, _, _ := strings.Cut(s.ok("", "list"), " ")
	if status != exitFailure || !strings.Contains(stderr.String(), ref+" was committed") {
		t.Errorf("status %d, %q; the snapshot is %q", status, &stderr, ref)
	}
}

type closedOutput struct{}

func (closedOutput) Write([]byte) (int, error) { return 0, errors.New("closed") }
