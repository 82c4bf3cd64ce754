// Package integration tests the library against other implementations and real services. It is a
// module of its own, never released, so that what only tests need is in no importer's go.sum.
//
// The servers are in packages of their own, minio and versitygw, and built by gobuild; the tests with them are in s3. Run
// scripts/servers.sh, or after "go run ./prebuild" go test. Package minio says how it finds or starts its server.
//
// What belongs here is a test that needs a module, container or server which the library itself does not.
package integration
