#!/usr/bin/env bash
# Runs a command where there is a Docker engine, and where the tests with MinIO fail unless it runs in a container:
#
#   scripts/docker.sh make test
#
# If no engine answers, one is started for this command alone, and stopped by its process id; that takes
# root, and the packages docker.io and iptables, which are installed on Debian if they are missing.
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

answers() { docker version >/dev/null 2>&1; }

# install COMMAND PACKAGE: the package has the command.
install() {
	if command -v "$1" >/dev/null; then return; fi
	echo "docker: installing $2"
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$2" >/dev/null
}

start_engine() {
	install dockerd docker.io
	install iptables iptables
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

install docker docker.io # the client, by which an engine elsewhere answers
if answers; then
	echo "docker: an engine is running"
else
	start_engine
	echo "docker: started an engine, process $engine"
fi
export INTEGRATION_REQUIRE=container
"$@"
