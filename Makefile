# What a developer runs. CI runs .ci/run, which runs these too.

GO          ?= go
TESTFLAGS   ?=
FUZZTIME    ?= 10s
BENCH       ?= .
DBBACKUP_KILLS ?= 200
BACKUP_FAULTS  ?= 1000
BACKUP_SEED    ?= 1
BACKUP_DATABASE_MB ?= 120
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK  = golang.org/x/vuln/cmd/govulncheck@v1.9.0

# The tests with other implementations and servers are a module of their own, and so is the example with a database driver.
MODULES = . internal/integration examples/embed-in-http-server
each = @set -e; for m in $(MODULES); do (cd $$m && $(1)); done

.PHONY: test unit check fmt vet staticcheck tools docker fuzz bench kill faults long databases integration vuln cover tidy cross

# Everything that must pass before a commit, in a few minutes.
test: tools check unit

unit:
	$(GO) test -race -timeout 10m $(TESTFLAGS) ./...
	cd examples/embed-in-http-server && $(GO) test -race -timeout 5m $(TESTFLAGS) ./...
	@GO='$(GO)' scripts/servers.sh -race $(TESTFLAGS)

check: fmt vet staticcheck

fmt:
	@bad=$$(gofmt -l .); test -z "$$bad" || { echo "not formatted, run gofmt -w:"; echo "$$bad"; exit 1; }

vet:
	$(call each,$(GO) vet ./...)

staticcheck:
	$(call each,$(GO) run $(STATICCHECK) ./...)

# The stock tools that tests compare with (zstd, xz, age, psql, …). Only root on Debian can have them installed;
# elsewhere the script says what is missing, and the tests go on.
tools:
	@scripts/tools.sh || { test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null; }

# The tests with real servers, MinIO in a container. Where no Docker engine answers, this starts one, which takes root.
docker:
	@GO='$(GO)' scripts/docker.sh scripts/servers.sh -race $(TESTFLAGS)

# Every fuzz target for FUZZTIME.
fuzz:
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

# Benchmarks; with DUMP=file also the comparison with other ways to do the same (docs: go doc ./internal/bench).
bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	$(if $(DUMP),$(GO) run ./internal/bench $(DUMP))

# Kills the example program, with SIGKILL, at DBBACKUP_KILLS moments of a backup.
kill:
	@$(GO) test -list Kill ./examples/dbbackup/... | grep -q '^Test' || { echo "kill: there is no such test"; exit 1; }
	DBBACKUP_KILLS=$(DBBACKUP_KILLS) $(GO) test -count=1 -timeout 20m -run Kill $(TESTFLAGS) ./examples/dbbackup/...

# Backups and restores while requests fail at random, BACKUP_FAULTS times, drawn from BACKUP_SEED: over a store in memory, and over MinIO.
faults:
	cd internal/integration && $(GO) run ./prebuild
	@set -e; export BACKUP_FAULTS=$(BACKUP_FAULTS) BACKUP_SEED=$(BACKUP_SEED); \
	$(GO) test -count=1 -timeout 30m -v -run Campaign $(TESTFLAGS) ./s3fs; \
	cd internal/integration && $(GO) test -count=1 -timeout 60m -v -run Campaign $(TESTFLAGS) ./campaign

# What the quick tests sample, at every byte.
long:
	BACKUP_LONG_TESTS=1 $(GO) test -count=1 -timeout 20m -run 'Anywhere|Flip|^TestTruncated$$' $(TESTFLAGS) . ./crypto
	BACKUP_LONG_TESTS=1 $(GO) test -count=1 -timeout 20m -run '^TestWriter$$' $(TESTFLAGS) ./crypto/sevenzip

# Databases of BACKUP_DATABASE_MB through every encryption, to a directory and to MinIO, and back. The quick tests have small ones.
databases:
	cd internal/integration && $(GO) run ./prebuild
	cd internal/integration && BACKUP_DATABASE_MB=$(BACKUP_DATABASE_MB) $(GO) test -count=1 -timeout 40m -v -run RoundTrip $(TESTFLAGS) ./database

# Stock tools, on this machine.
integration:
	scripts/stocktools.sh
	scripts/secondreader.sh

# Known vulnerabilities that the code reaches. Needs the network, so it is not a part of CI.
vuln:
	$(call each,$(GO) run $(GOVULNCHECK) ./...)

cover:
	$(GO) test -coverprofile=coverage.out -coverpkg=./... ./...
	$(GO) tool cover -func=coverage.out | tail -1

# Fails if go.mod or go.sum are not what go mod tidy makes of them.
tidy:
	$(call each,$(GO) mod tidy -diff)

# Other systems than this one: do they compile?
cross:
	@set -e; for os in windows darwin freebsd; do echo "vet for $$os"; GOOS=$$os GOARCH=amd64 CGO_ENABLED=0 $(GO) vet ./...; done
