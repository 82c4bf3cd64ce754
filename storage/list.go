package storage

import (
	"context"
	"fmt"
	"strings"
)

// ListAll returns all objects whose names start with prefix, in ascending byte
// order of the name. It returns no list at all with any error, so that nothing is
// concluded from half of one. A listing whose names are not strictly ascending
// or lack the prefix is an error too: a volume that answers so cannot be relied
// on to have named everything.
func ListAll(ctx context.Context, v Volume, prefix string) ([]Object, error) {
	var all []Object
	for o, err := range v.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(o.Name, prefix) {
			return nil, listError(prefix, "the volume listed %q, which lacks the prefix", o.Name)
		}
		if n := len(all); n > 0 && o.Name <= all[n-1].Name {
			return nil, listError(prefix, "the volume listed %q after %q, out of order", o.Name, all[n-1].Name)
		}
		all = append(all, o)
	}
	if ctx.Err() != nil {
		return nil, listError(prefix, "%w", context.Cause(ctx))
	}
	return all, nil
}

func listError(prefix, format string, args ...any) error {
	return &Error{Op: "list", Name: prefix, Err: fmt.Errorf(format, args...)}
}
