package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// Nothing that a Config prints holds a secret.
func TestNoSecrets(t *testing.T) {
	const password = "pässword-of-7z-%s"
	for name, env := range map[string]environment{
		"keys":     working(t).with(oldKeysVariable, oldKey.Encode()+",base64:c2VjcmV0LWJ1dC13cm9uZw=="),
		"password": working(t).with("BACKUP_ENCRYPTION", "7z", keyVariable, password),
		"wrong":    working(t).with(keyVariable, password),
		"places":   working(t).with("BACKUP_COMPRESSION", testKey.Encode(), "BACKUP_ENCRYPTION", testKey.Encode(), "BACKUP_VOLUME", "s3://user:"+url.PathEscape(password)+"@bucket"),
	} {
		c, err := Parse(env.lookup)
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, *c))
		}
		data, jsonErr := json.Marshal([]any{c, *c})
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c)
		_, _, openErr := c.Open(t.Context(), Writing, nil)
		texts = append(texts, string(data), log.String(), fmt.Sprint(err), fmt.Sprint(openErr), strings.Join(c.Problems(), "\n"))
		for _, secret := range []string{testKey.Encode()[7:27], oldKey.Encode()[7:27], "c2VjcmV0", "ssword-of-7z"} {
			for _, text := range texts {
				if strings.Contains(text, secret) {
					t.Errorf("%s: %q is in %s", name, secret, text)
				}
			}
		}
	}
}

// A key in the wrong variable is a problem of that variable, which does not repeat it.
func TestMisplacedSecrets(t *testing.T) {
	base := working(t)
	c, err := Parse(base.lookup)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		for _, secret := range []string{testKey.Encode(), "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS", "x" + oldKey.Encode()} {
			if s.Name == keyVariable || s.Name == oldKeysVariable {
				continue
			}
			c, err := Parse(base.with(s.Name, secret).lookup)
			if err == nil || !strings.Contains(err.Error(), s.Name+": ") {
				t.Errorf("%s takes a key: %v", s.Name, err)
			}
			data, jsonErr := json.Marshal(c)
			if text := fmt.Sprint(err, c, string(data), jsonErr); strings.Contains(text, secret[10:20]) {
				t.Errorf("%s: the key is in %s", s.Name, text)
			}
		}
	}
}
