module github.com/databasement/backup/internal/integration

go 1.25.0

replace github.com/databasement/backup => ../..

require github.com/databasement/backup v0.0.0-00010101000000-000000000000

require (
	filippo.io/age v1.3.2 // indirect
	filippo.io/edwards25519 v1.2.0 // indirect
	filippo.io/hpke v0.4.0 // indirect
	github.com/tink-crypto/tink-go/v2 v2.9.0
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
