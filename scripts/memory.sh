#!/usr/bin/env bash
# Shows that dbbackup takes as much memory for a long stream as for a short one: peak RSS of backup and
# restore with zstd and AES-256, for streams of each size of noise (which is stored as large as it is) and of
# text. Every restored stream is compared by its SHA-256. Ends non-zero above 100 MiB.
#
# usage: memory.sh [DIR [GIB...]]     default: the system's temporary directory, 1 and 16 GiB
#   BACKUP_VOLUME, if set, is the volume, such as s3://bucket/prefix with the variables that it needs.
# needs: openssl, time (scripts/tools.sh), and room for the largest stream in DIR.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh
work=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/memory.XXXXXX")
trap 'rm -rf "$work"' EXIT
shift || true
[ $# -gt 0 ] || set -- 1 16
limit=$((100 * 1024))

go build -o "$work/dbbackup" ./examples/dbbackup
export BACKUP_VOLUME=${BACKUP_VOLUME:-file://$work/volume} BACKUP_ENCRYPTION=aes256
BACKUP_ENCRYPTION_KEY=$("$work/dbbackup" keygen 2>/dev/null | sed 's/^[^=]*=//')
export BACKUP_ENCRYPTION_KEY

seq -f 'INSERT INTO events VALUES (%.0f, now(), null);' 1000000 1999999 >"$work/block"

noise() { openssl enc -aes-256-ctr -pass pass:memory -nosalt -pbkdf2 </dev/zero 2>/dev/null; }
text() { while cat "$work/block"; do :; done 2>/dev/null; }

# peak NAME COMMAND...: runs it under time, and prints and judges its peak RSS.
peak() {
	local name=$1 rss
	shift
	/usr/bin/time -f %M -o "$work/rss" "$@"
	rss=$(tail -1 "$work/rss")
	printf '%-28s %6d KiB\n' "$name" "$rss" >&2
	if [ "$rss" -gt $limit ]; then
		echo "$name is above $limit KiB" >&2
		touch "$work/failed" # as this may be a subshell
	fi
}

for kind in noise text; do
	for gib in "$@"; do
		bytes=$((gib << 30))
		# head ends the generator, which therefore does not count.
		want=$({ $kind || true; } | head -c $bytes | tee >(sha256sum >"$work/want") | peak "backup  $kind $gib GiB" "$work/dbbackup" backup --name shop --min-size $bytes)
		peak "restore $kind $gib GiB" "$work/dbbackup" restore "$want" > >(sha256sum >"$work/got")
		wait
		cmp "$work/want" "$work/got"
		"$work/dbbackup" delete "$want"
	done
done
[ ! -e "$work/failed" ] || exit 1
echo "ok: every stream came back, in at most $((limit / 1024)) MiB"
