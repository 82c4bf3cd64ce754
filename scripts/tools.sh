#!/usr/bin/env bash
# Installs the stock tools that tests and scripts compare with, on Debian, as root. What is there already
# stays as it is, so it may be run at any time.
set -euo pipefail

# command package
wanted='
/usr/lib/postgresql/*/bin/initdb postgresql
psql postgresql-client
mariadbd mariadb-server
mariadb-dump mariadb-client
sqlite3 sqlite3
zstd zstd
xz xz-utils
age age
7zz 7zip
lz4 lz4
/usr/bin/time time
/usr/lib/python3/dist-packages/cryptography python3-cryptography
'

missing=()
while read -r command package; do
	[ -n "$command" ] || continue
	case $command in
	*/*) compgen -G "$command" >/dev/null || missing+=("$package") ;;
	*) command -v "$command" >/dev/null || missing+=("$package") ;;
	esac
done <<<"$wanted"

if [ ${#missing[@]} = 0 ]; then
	echo "tools: all there"
	exit
fi
echo "tools: installing ${missing[*]}"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "tools: that takes root and apt-get; install them some other way" >&2
	exit 1
fi
# The cluster that the package would make and start is not wanted: tests and scripts have their own.
if [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
	mkdir -p /etc/postgresql-common
	echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
echo "tools: installed"
