#!/usr/bin/env bash
# Shows that stock 7-Zip opens archives of any length: streams of GIB GiB, of text and of noise, through dbbackup with each method,
# in one object and in segments; 7zz tests and extracts each, dbbackup restores it, and SHA-256 compares. Prints the peak RSS of backup and restore, and
# ends non-zero where that of deflate or copy is above 128 MiB.
#
# usage: sevenzip.sh [DIR [GIB]]     default: the system's temporary directory, 5 GiB
#   BACKUP_7Z_METHODS, if set, are the methods to try, such as "deflate copy"; lzma2 takes some ten minutes for 5 GiB.
# needs: 7zz, openssl, time (scripts/tools.sh), and room for one stream in DIR.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/tools.sh
work=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/sevenzip.XXXXXX")
trap 'rm -rf "$work"' EXIT
bytes=$((${2:-5} << 30))
limit=$((128 * 1024))

go build -o "$work/dbbackup" ./examples/dbbackup
export BACKUP_VOLUME=file://$work/volume BACKUP_ENCRYPTION=7z BACKUP_ENCRYPTION_KEY="not a secret, as this is a test"

seq -f 'INSERT INTO events VALUES (%.0f, now(), null);' 1000000 1999999 >"$work/block"
noise() { openssl enc -aes-256-ctr -pass pass:sevenzip -nosalt -pbkdf2 </dev/zero 2>/dev/null; }
text() { while cat "$work/block"; do :; done 2>/dev/null; }
stream() { { $1 || true; } | head -c $bytes; }

# judge NAME: prints the peak RSS that time wrote.
judge() {
	local rss
	rss=$(tail -1 "$work/rss")
	printf '%-36s %7d KiB\n' "$1" "$rss"
	if [[ $1 != *lzma2* ]] && [ "$rss" -gt $limit ]; then
		echo "$1 is above $limit KiB" >&2
		exit 1
	fi
}

for method in ${BACKUP_7Z_METHODS:-deflate copy lzma2}; do
	level=()
	[ "$method" != lzma2 ] || level=(--level 1)
	for kind in text noise; do
		for segment in "" 1.5; do
			what="$method $kind${segment:+ in segments}"
			flags=("${level[@]}" --7z-method "$method")
			[ -z "$segment" ] || flags+=(--segment-size $((3 << 29)))
			want=$(stream $kind | sha256sum)
			id=$(stream $kind | /usr/bin/time -f %M -o "$work/rss" "$work/dbbackup" backup --name huge --ext .sql "${flags[@]}")
			judge "backup  $what"
			first=$(find "$work/volume/huge" -name '*.sql.7z' -o -name '*.sql.7z.001')
			7zz t -bso0 -bsp0 -p"$BACKUP_ENCRYPTION_KEY" "$first"
			[ "$(7zz x -so -p"$BACKUP_ENCRYPTION_KEY" "$first" | sha256sum)" = "$want" ]
			got=$(/usr/bin/time -f %M -o "$work/rss" "$work/dbbackup" restore "$id" | sha256sum)
			judge "restore $what"
			[ "$got" = "$want" ]
			"$work/dbbackup" delete "$id"
		done
	done
done
echo "ok: $bytes bytes came back from 7zz and from dbbackup, each time"
