package database

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// namesOf decodes names, one a line, in hex.
func namesOf(lines string) ([]string, error) {
	var names []string
	for line := range strings.Lines(lines) {
		name, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("the server's list of databases has the line %.40q, where a name in hex was expected", line)
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names, nil
}
