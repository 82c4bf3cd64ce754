package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/databasement/backup/storage"
)

// What the server says beside the status, since any proxy on the way has statuses too: one that has lost its route
// answers 404, and a 403 may be the answer to its own repetition of what was stored.
const (
	outcomeHeader = "Storage-Outcome"
	absent        = "absent"      // there is no such object
	notApplied    = "not-applied" // nothing was stored, and nothing will be
)

// entry is a line of a listing. The last one, and only that, has nothing but End.
type entry struct {
	Name    string    `json:"name,omitempty"`
	Size    int64     `json:"size"`
	ModTime time.Time `json:"modTime,omitzero"`
	End     bool      `json:"end,omitempty"`
}

// request is a request about one object.
func (v *HTTPVolume) request(ctx context.Context, method, name string) (*http.Request, error) {
	if err := storage.CheckName(name); err != nil {
		return nil, err
	}
	return v.newRequest(ctx, method, name, nil)
}

func (v *HTTPVolume) newRequest(ctx context.Context, method, name string, query url.Values) (*http.Request, error) {
	u := *v.base
	u.Path += name // names may contain %, ? and #, which String escapes
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+v.token)
	return req, nil
}

// do sends the request and returns an answer of one of the wanted statuses, whose body the caller closes.
func (v *HTTPVolume) do(req *http.Request, want ...int) (*http.Response, error) {
	resp, err := v.client.Do(req)
	if err != nil {
		return nil, cause(req.Context(), err)
	}
	if slices.Contains(want, resp.StatusCode) {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, v.refusal(resp)
}

// refusal says what the answer means.
func (v *HTTPVolume) refusal(resp *http.Response) error {
	err := fmt.Errorf("the server answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // what could be read
	if s := strings.TrimSpace(string(text)); s != "" {
		s = strings.ReplaceAll(s, v.token, "[token]") // some gateways' error pages show the request
		err = fmt.Errorf("%w: %.200q", err, s)
	}
	outcome := resp.Header.Get(outcomeHeader)
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		err = fmt.Errorf("%w: %w; is the token right?", storage.ErrPermission, err)
	case http.StatusNotFound:
		if outcome == absent {
			err = storage.ErrNotExist
		} else {
			err = fmt.Errorf("%w, and it is not of a server for this volume: is the URL right?", err)
		}
	case http.StatusRequestEntityTooLarge:
		err = fmt.Errorf("%w: %w", storage.ErrTooLarge, err)
	}
	if outcome == notApplied {
		err = fmt.Errorf("%w: %w", storage.ErrNotApplied, err)
	}
	return err
}

// cause is the ctx's error if it is done, and else err without the URL, which [storage.Error] names.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

func lastModified(resp *http.Response) (time.Time, error) {
	t, err := http.ParseTime(resp.Header.Get("Last-Modified"))
	if err != nil {
		return time.Time{}, fmt.Errorf("the server's answer has no Last-Modified: %w", err)
	}
	return t, nil
}
