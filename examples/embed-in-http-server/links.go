package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// links signs download links: whoever has one may download that snapshot until it expires. They end with the process, too.
type links struct{ key [32]byte }

func newLinks() *links {
	l := new(links)
	rand.Read(l.key[:])
	return l
}

func (l *links) signature(id, until string) []byte {
	mac := hmac.New(sha256.New, l.key[:])
	fmt.Fprintf(mac, "%d %s %s", len(id), id, until)
	return mac.Sum(nil)
}

// sign returns the path of the link.
func (l *links) sign(id string, until time.Time) string {
	text := strconv.FormatInt(until.Unix(), 10)
	q := url.Values{"until": {text}, "signature": {base64.RawURLEncoding.EncodeToString(l.signature(id, text))}}
	return "/download/" + id + "?" + q.Encode()
}

// check reports whether q is a link's query, for that id and not expired.
func (l *links) check(id string, q url.Values, now time.Time) bool {
	given, err := base64.RawURLEncoding.DecodeString(q.Get("signature"))
	if err != nil || !hmac.Equal(given, l.signature(id, q.Get("until"))) {
		return false
	}
	until, err := strconv.ParseInt(q.Get("until"), 10, 64)
	return err == nil && now.Unix() < until
}
