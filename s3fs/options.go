package s3fs

import (
	"net/http"
	"time"
)

// Options say how to reach the store and how to write to it; nil and zero fields are the defaults. Set by hand, or by
// OptionsFromEnv. They print without their secrets.
type Options struct {
	Prefix string // objects are below it: "x" is the key "prefix/x"; empty: the whole bucket

	Region         string // default: that of AWS_REGION or the profile, else us-east-1
	Endpoint       string // such as https://s3.example.com; default: that of AWS_ENDPOINT_URL_S3 or the profile, else AWS's for the region
	PublicEndpoint string // what Presign signs for, where others reach the store under another name; default: Endpoint
	PathStyle      bool   // https://endpoint/bucket/key instead of https://bucket.endpoint/key

	Profile         string // of the shared configuration files, for S3; default: the SDK's default chain
	AccessKeyID     string `json:"-"` // static credentials, with SecretAccessKey, instead of the default chain; not beside Profile
	SecretAccessKey string `json:"-"`
	SessionToken    string `json:"-"` // of temporary static credentials

	RoleARN         string // a role to assume for S3, always, by the credentials of STSProfile, else by those above
	RoleSessionName string // default: databasement
	STSEndpoint     string // default: that of AWS_ENDPOINT_URL_STS or the profile, else AWS's for the region
	STSProfile      string // whose credentials assume the role

	PartSize    int64 // bytes of a part of an upload, 5 MiB to 5 GiB; default: 8 MiB
	Concurrency int   // parts on their way at once, 1 to 64; default: 3. A Put holds Concurrency+1 parts in memory
	MaxParts    int   // of an object, 1 to 10,000; default: 9,000. PartSize*MaxParts is the largest object, at most 5 TiB

	Checksum     Checksum          // beyond what is always sent; default: none
	StorageClass string            // such as STANDARD_IA; default: the bucket's
	SSE          SSE               // how the store encrypts; default: the bucket's
	SSEKMSKeyID  string            // for SSEKMS; default: the account's own key
	ObjectLock   ObjectLock        // retention of every object; default: the bucket's
	Tags         map[string]string // of every object, at most 10

	StallTimeout time.Duration // a request on which no byte moves for so long is tried again; default: 1 minute
	MaxAttempts  int           // of a request, 1 to 100; default: 12, over about a minute and a half
	MaxPause     time.Duration // the longest pause between attempts that the store did not ask for; default: 30 s

	// OnRetry, if not nil, is told before each pause which operation, such as UploadPart, has failed how often, and why.
	// It is called concurrently.
	OnRetry func(operation string, attempt int, err error) `json:"-"`

	// HTTPClient, if set, makes the requests to S3 and STS; it is copied, and the copy follows no redirect; Close
	// closes idle connections of its transport. Default: one made
	// for S3, which knows AWS_CA_BUNDLE and the proxy variables. What a profile needs beyond them (SSO, say) the SDK's own makes.
	HTTPClient *http.Client `json:"-"`

	origins map[string]origin // by field
	notes   []string          // what String says of the environment beside the fields
}

// Checksum is what a Put sends, and the store keeps, for each part.
type Checksum string

const (
	// ChecksumNone sends only Content-MD5 and a signed SHA-256 of the payload, with which every store refuses
	// what was damaged on the way. Not all know more.
	ChecksumNone Checksum = ""
	// ChecksumSHA256 has the store keep the SHA-256 of each part, and compares it once the object is there. AWS and
	// MinIO can.
	ChecksumSHA256 Checksum = "SHA256"
)

// SSE is how the store encrypts what it keeps.
type SSE string

const (
	SSENone SSE = ""        // as the bucket says
	SSES3   SSE = "AES256"  // with the store's own keys
	SSEKMS  SSE = "aws:kms" // with a key of the key management service
)

// ObjectLock is a retention that the store enforces; the bucket must have been made for it.
type ObjectLock struct {
	Mode string        // GOVERNANCE or COMPLIANCE; empty: none
	For  time.Duration // from each Put on
}
