package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

// ReadObject returns the whole of a small object. One of more than max bytes is
// [ErrTooLarge]; it takes little more memory than the object has, and never
// much more than max, whatever the volume says or sends.
func ReadObject(ctx context.Context, v Volume, name string, max int64) (data []byte, err error) {
	if max < 0 {
		return nil, &Error{Op: "read", Name: name, Err: fmt.Errorf("more than %d bytes: %w", max, ErrTooLarge)}
	}
	limit := max
	if limit < math.MaxInt64 {
		limit++ // one more byte than allowed tells a larger object
	}
	body, err := v.Open(ctx, name, 0, limit)
	if err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(body, limit))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, readError(name, err)
	}
	if int64(len(data)) > max {
		return nil, &Error{Op: "read", Name: name, Err: fmt.Errorf("more than %d bytes: %w", max, ErrTooLarge)}
	}
	return data, nil
}

// readError wraps what Read or Close of a body returned, unless the volume did.
func readError(name string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	return &Error{Op: "read", Name: name, Err: err}
}
