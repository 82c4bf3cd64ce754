#!/usr/bin/env bash
# Runs a command where there is a Docker engine, and where the tests with MinIO fail unless it runs in a container:
#
#   scripts/docker.sh make test
#
# If no engine answers, one is started for this command alone, and stopped by its process id; that takes
# root, and on Debian the packages docker.io and iptables, which are installed if they are missing.
set -euo pipefail

work=
engine=

stop() {
	if [ -n "$engine" ] && kill "$engine" 2>/dev/null; then
		for _ in $(seq 300); do
			kill -0 "$engine" 2>/dev/null || break
			sleep 0.1
		done
	fi
	[ -z "$work" ] || rm -rf "$work"
}
trap stop EXIT

answers() { command -v docker >/dev/null && docker version >/dev/null 2>&1; }

install_engine() {
	if command -v dockerd >/dev/null && command -v iptables >/dev/null && command -v docker >/dev/null; then return; fi
	echo "docker: installing docker.io iptables"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	apt-get -qq install -y --no-install-recommends docker.io iptables >/dev/null
}

start_engine() {
	install_engine
	work=$(mktemp -d)
	dockerd >"$work/log" 2>&1 &
	engine=$!
	for _ in $(seq 300); do
		if answers; then return; fi
		kill -0 "$engine" 2>/dev/null || break
		sleep 0.1
	done
	echo "docker: the engine does not start; its log ends with:" >&2
	tail -20 "$work/log" >&2
	exit 1
}

if answers; then
	echo "docker: an engine is running"
else
	start_engine
	echo "docker: started an engine, process $engine"
fi
export INTEGRATION_REQUIRE=container
"$@"
