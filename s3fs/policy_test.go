package s3fs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestPolicy(t *testing.T) {
	const want = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:ListBucket"
      ],
      "Resource": "arn:aws:s3:::bucket"
    },
    {
      "Effect": "Allow",
      "Action": [
        "s3:PutObject",
        "s3:GetObject"
      ],
      "Resource": "arn:aws:s3:::bucket/a/b/*"
    }
  ]
}
`
	if got := Policy("bucket", "a/b", Writer); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestPolicies(t *testing.T) {
	for _, test := range []struct {
		role     Role
		prefix   string
		actions  []string // on objects
		resource string
	}{
		{Writer, "", []string{"s3:PutObject", "s3:GetObject"}, "arn:aws:s3:::bucket/*"},
		{Restorer, "", []string{"s3:GetObject"}, "arn:aws:s3:::bucket/*"},
		{Restorer, "a", []string{"s3:GetObject"}, "arn:aws:s3:::bucket/a/*"},
		{Pruner, "a", []string{"s3:DeleteObject", "s3:GetObject"}, "arn:aws:s3:::bucket/a/*"},
		{Pruner, `we?rd*$<"`, []string{"s3:DeleteObject", "s3:GetObject"}, `arn:aws:s3:::bucket/we${?}rd${*}${$}<"/*`},
		{"nobody", "a", nil, ""},
	} {
		text := Policy("bucket", test.prefix, test.role)
		var got policy
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		list := statement{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: "arn:aws:s3:::bucket"}
		want := policy{Version: "2012-10-17", Statement: []statement{list}}
		if test.actions != nil {
			want.Statement = append(want.Statement, statement{Effect: "Allow", Action: test.actions, Resource: test.resource})
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s of %q: got %s", test.role, test.prefix, text)
		}
	}
}
