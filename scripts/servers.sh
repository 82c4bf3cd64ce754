#!/usr/bin/env bash
# Runs the tests with real servers, internal/integration, and prints their results and how MinIO ran. Arguments are
# flags of go test. What the tests run is built before, in minutes the first time, because tests have a time limit.
#
# If INTEGRATION_REQUIRE says how MinIO is to run, these tests fail when they did not run, or in another way.
set -euo pipefail
cd "$(dirname "$0")/../internal/integration"
go=${GO:-go}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$go" run ./prebuild
"$go" test -v -timeout 15m ${INTEGRATION_REQUIRE:+-count=1} "$@" ./... 2>&1 | tee "$log" | grep -v '^=== '
if [ -n "${INTEGRATION_REQUIRE:-}" ] && ! grep -q "^minio: $INTEGRATION_REQUIRE " "$log"; then
	echo "servers: MinIO did not run as $INTEGRATION_REQUIRE" >&2
	exit 1
fi
