package s3fs

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Role is what credentials are for. Three sets of them can do less harm than one: a machine that writes backups need not be
// able to delete them.
type Role string

const (
	// Writer creates backups and lists them: s3:PutObject, s3:GetObject, of which it needs HeadObject, and s3:ListBucket. It
	// deletes nothing, not even after a failure: what a failed backup leaves is for Pruner to sweep. So Check, which
	// deletes what it tries, reports s3:DeleteObject as missing. It could overwrite objects; versions or a lock help against that.
	Writer Role = "writer"
	// Restorer lists, restores, verifies and links: s3:GetObject and s3:ListBucket.
	Restorer Role = "restorer"
	// Pruner deletes, prunes and sweeps: s3:DeleteObject, s3:GetObject for the manifests, and s3:ListBucket.
	Pruner Role = "pruner"
)

// actions are those on objects. Each role lists, too.
var actions = map[Role][]string{
	Writer:   {"s3:PutObject", "s3:GetObject"},
	Restorer: {"s3:GetObject"},
	Pruner:   {"s3:DeleteObject", "s3:GetObject"},
}

// Policy is the smallest IAM policy for a role, as JSON; of an unknown role one that allows only to list. The prefix is that of
// Options, and may be empty. What it does without: s3:AbortMultipartUpload on the objects, with which a Writer removes the parts
// of a failed upload at once, and a Pruner those that are old, which it finds with s3:ListBucketMultipartUploads on
// the bucket. Without them a lifecycle rule with AbortIncompleteMultipartUpload does it. Options.Tags, ObjectLock and SSEKMS need
// permissions of their own (s3:PutObjectTagging, s3:PutObjectRetention, kms:GenerateDataKey, kms:Decrypt).
//
// The whole bucket may be listed, whatever the prefix: with a condition on s3:prefix a store may answer 403 rather than 404 to a HEAD
// or GET of a missing object, as such a request names no prefix, and 403 is never read as "absent".
//
// The format is that of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html.
func Policy(bucket, prefix string, role Role) string {
	arn, below := "arn:aws:s3:::"+literal(bucket), ""
	if prefix != "" {
		below = literal(prefix) + "/"
	}
	p := policy{Version: "2012-10-17", Statement: []statement{{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: arn}}}
	if a := actions[role]; a != nil {
		p.Statement = append(p.Statement, statement{Effect: "Allow", Action: a, Resource: arn + "/" + below + "*"})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil { // strings and maps of strings can be encoded
		return ""
	}
	return b.String()
}

type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect   string
	Action   []string
	Resource string
}

// literal is s without what a policy reads as a wildcard or a variable:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html.
func literal(s string) string {
	return strings.NewReplacer("$", "${$}", "*", "${*}", "?", "${?}").Replace(s)
}
