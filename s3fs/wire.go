package s3fs

import (
	"context"
	"crypto/md5" // Content-MD5 is what every store checks
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// payload is what is said of a body beside it.
type payload struct {
	md5    string // base64
	sha256 [sha256.Size]byte
}

func payloadOf(data []byte) *payload {
	sum := md5.Sum(data)
	return &payload{base64.StdEncoding.EncodeToString(sum[:]), sha256.Sum256(data)}
}

type payloadKey struct{}

// signing has the request's signature cover the payload. Over HTTPS the SDK would leave it out, and then a store that got
// other bytes than were sent keeps them.
func (p *payload) signing(ctx context.Context) context.Context {
	return context.WithValue(ctx, payloadKey{}, hex.EncodeToString(p.sha256[:]))
}

// wire changes how the SDK writes requests.
func wire(stack *middleware.Stack) error {
	if err := signPayload(stack); err != nil {
		return err
	}
	return hideAcceptEncoding(stack)
}

func signPayload(stack *middleware.Stack) error {
	const id = "ComputePayloadHash"
	usual, ok := stack.Finalize.Get(id)
	if !ok {
		return nil
	}
	_, err := stack.Finalize.Swap(id, middleware.FinalizeMiddlewareFunc(id,
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if hash, ok := ctx.Value(payloadKey{}).(string); ok {
				return next.HandleFinalize(v4.SetPayloadHash(ctx, hash), in)
			}
			return usual.HandleFinalize(ctx, in, next)
		}))
	return err
}

// hideAcceptEncoding keeps the header out of the signature, because proxies change it on the way.
func hideAcceptEncoding(stack *middleware.Stack) error {
	const header, signing = "Accept-Encoding", "Signing"
	if _, ok := stack.Finalize.Get(signing); !ok {
		return nil
	}
	put := func(id, value string) middleware.FinalizeMiddleware {
		return middleware.FinalizeMiddlewareFunc(id,
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				if req, ok := in.Request.(*smithyhttp.Request); ok {
					req.Header.Del(header)
					if value != "" {
						req.Header.Set(header, value)
					}
				}
				return next.HandleFinalize(ctx, in)
			})
	}
	if err := stack.Finalize.Insert(put("HideAcceptEncoding", ""), signing, middleware.Before); err != nil {
		return err
	}
	// Without one net/http would ask for gzip, and unpack it unasked.
	return stack.Finalize.Insert(put("ShowAcceptEncoding", "identity"), signing, middleware.After)
}
