package minio

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// User is a user of the server, with one policy.
type User struct {
	AccessKey, SecretKey string
	Policy               string // JSON, in the language of IAM
}

// AddUser makes the user and its policy. It is one call of the admin API, "import IAM", because that one takes plain
// JSON: those for a single user want their bodies encrypted, in a format of MinIO's own.
func (s *Server) AddUser(ctx context.Context, u User) error {
	name := "policy-" + u.AccessKey
	body, err := zipped(map[string]any{
		"policies":      map[string]json.RawMessage{name: json.RawMessage(u.Policy)},
		"users":         map[string]any{u.AccessKey: map[string]string{"secretKey": u.SecretKey, "status": "enabled"}},
		"user_mappings": map[string]any{u.AccessKey: map[string]any{"version": 1, "policy": name}},
	})
	if err != nil {
		return fmt.Errorf("add user %s: %w", u.AccessKey, err)
	}
	answer, err := s.admin(ctx, http.MethodPut, "/minio/admin/v3/import-iam-v2", body)
	if err != nil {
		return fmt.Errorf("add user %s: %w", u.AccessKey, err)
	}
	var result struct {
		Failed map[string]any `json:"failed"`
		Added  struct {
			Users        []string              `json:"users"`
			UserPolicies []map[string][]string `json:"userPolicies"`
		} `json:"added"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return fmt.Errorf("add user %s: %w in %q", u.AccessKey, err, answer)
	}
	if len(result.Added.Users) != 1 || len(result.Added.UserPolicies) != 1 {
		return fmt.Errorf("add user %s: the server says %s", u.AccessKey, answer)
	}
	return nil
}

// zipped is an archive as "export IAM" makes it, with files of JSON.
func zipped(files map[string]any) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create("iam-assets/" + name + ".json")
		if err != nil {
			return nil, err
		}
		if err := json.NewEncoder(f).Encode(content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// admin makes a call of the admin API, as root.
func (s *Server) admin(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	resp, err := s.HTTPClient().Do(signer.SignV4(*req, s.AccessKey, s.SecretKey, "", "us-east-1"))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, nil
}
