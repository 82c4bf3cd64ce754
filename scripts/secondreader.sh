#!/usr/bin/env bash
# Shows that docs/FORMAT.md says enough: a second reader, secondreader.py, written from that text alone, reads every
# golden volume and what dbbackup writes, and refuses damaged copies. Exits with 1 at the first difference.
#
# Needs go; on Debian, as root, it installs the rest. Works in a temporary directory, and leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "secondreader: FAILED: $*" >&2; exit 1; }

command -v go >/dev/null || fail "there is no go"
python=python3
$python -c 'import cryptography' 2>/dev/null || python=/usr/bin/python3 # Debian's, which has Debian's packages
missing=()
$python -c 'import cryptography' 2>/dev/null || missing+=(python3-cryptography)
for tool in zstd xz age age-keygen 7zz; do
	command -v $tool >/dev/null || missing+=("$(case $tool in xz) echo xz-utils ;; age-keygen) echo age ;; 7zz) echo 7zip ;; *) echo $tool ;; esac)")
done
if [ ${#missing[@]} != 0 ]; then
	echo "secondreader: installing ${missing[*]}"
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "that takes root and apt-get; install them some other way"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

python=$($python -c 'import sys; print(sys.executable)') # without the shims of version managers, which are slow

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
golden=testdata/golden
old=$(sed -n 's/^aes256-old //p' $golden/keys.txt)
new=$(sed -n 's/^aes256-new //p' $golden/keys.txt)
archive_key=$(sed -n 's/^7z-key //p' $golden/keys.txt)
archive_password=$(sed -n 's/^7z-password //p' $golden/keys.txt)
sed -n 's/^age //p' $golden/keys.txt >"$work/identity"
age-keygen -o "$work/other-identity" 2>/dev/null

# secondread VOLUME [FLAGS]: the plain stream of the volume's snapshot.
secondread() { $python scripts/secondreader.py "$1" "${name:-shop/eu}/latest" "${@:2}"; }

# reads VOLUME PLAIN [FLAGS]: the plain stream must be that of the file.
reads() {
	secondread "$1" "${@:3}" >"$work/out" || fail "$1 is refused"
	cmp "$work/out" "$2" || fail "$1 gives something else"
}

# refuses WHAT VOLUME [FLAGS]: it must exit with 1 and a message, and write nothing.
refuses() {
	local status=0
	secondread "${@:2}" >"$work/out" 2>"$work/err" || status=$?
	[ "$status" = 1 ] && grep -q '^secondreader: ' "$work/err" || fail "$1: exit status $status: $(cat "$work/err")"
	if grep -q Traceback "$work/err"; then fail "$1: $(cat "$work/err")"; fi
	[ ! -s "$work/out" ] || fail "$1: unverified bytes were written"
	refused=$((refused + 1))
}

# flip FILE OFFSET: changes the lowest bit of one byte.
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# with_copy COMMAND…: runs it in the directory of a fresh copy's objects.
with_copy() {
	rm -rf "$work/copy"
	cp -r "$volume" "$work/copy"
	(cd "$work/copy/shop/eu" && "$@")
}

exchange() { mv "$1" other && mv "$2" "$1" && mv other "$2"; }
# as_id ID: gives the snapshot's objects another id.
as_id() { for f in *; do mv "$f" "$1${f#"$id"}"; done; }
newer() { sed -i '1s/"format":1/"format":2/' ./*.manifest.json; }

# damage FILE: every kind of damage to one object.
damage() {
	local size offsets at
	size=$(stat -c %s "$volume/shop/eu/$1")
	offsets="0 $((size / 2)) $((size - 1))"
	case $1 in
	*.manifest.json) # line 1, its LF, the seal
		at=$(head -1 "$volume/shop/eu/$1" | wc -c)
		offsets="0 $((at / 4)) $((at / 2)) $((at * 3 / 4)) $((at - 2)) $((at - 1)) $((at + 20)) $((size - 10)) $((size - 1))"
		;;
	esac
	if [ "$size" != 0 ]; then
		for at in $offsets; do
			with_copy flip "$1" "$at"
			refuses "$volume/$1, bit flipped at $at" "$work/copy" "${flags[@]}"
		done
		with_copy truncate -s -1 "$1"
		refuses "$volume/$1, truncated" "$work/copy" "${flags[@]}"
	fi
	with_copy truncate -s +1 "$1"
	refuses "$volume/$1, lengthened" "$work/copy" "${flags[@]}"
	with_copy rm "$1"
	refuses "$volume/$1, removed" "$work/copy" "${flags[@]}"
}

for volume in "$golden"/*/; do
	volume=${volume%/}
	case $volume in
	*rekeyed*) flags=(--key "$new") wrong=(--key "base64:$(head -c 32 /dev/urandom | base64)") ;;
	*aes256) flags=(--key "$old") wrong=(--key "$new") ;;
	*age) flags=(--age-identity "$work/identity") wrong=(--age-identity "$work/other-identity") ;;
	*none) flags=() wrong=(--key "$old") ;;
	*7z-key) flags=(--key "$archive_key") wrong=(--key "$new") ;;
	*7z-password) flags=(--password "$archive_password") wrong=(--password another) ;;
	*) fail "what is $volume?" ;;
	esac
	plain=$golden/plain.sql
	case $volume in */empty-*) plain=/dev/null ;; esac
	reads "$volume" "$plain" "${flags[@]}"
	echo "ok ${volume##*/}"

	refused=0
	for object in "$volume"/shop/eu/*; do damage "${object##*/}"; done
	id=$(basename "$volume"/shop/eu/*.manifest.json .manifest.json)
	with_copy as_id 20261122t175500123z-00000000
	refuses "$volume, under another id" "$work/copy" "${flags[@]}"
	with_copy newer
	refuses "$volume, of a newer format" "$work/copy" "${flags[@]}"
	grep -q newer "$work/err" || fail "$volume, of a newer format: $(cat "$work/err")"
	refuses "$volume, another key" "$volume" "${wrong[@]}"
	case $volume in */numbered-none-none) with_copy exchange "$id.sql.002" "$id.sql.003"; refuses "$volume, segments exchanged" "$work/copy" ;; esac
	case $volume in */rollover-*)
		first=$(cd "$volume/shop/eu" && echo "$id".sql.*[!0-9])
		with_copy exchange "$first" "$first.002"
		refuses "$volume, segments exchanged" "$work/copy" "${flags[@]}"
		with_copy exchange "$id.sums-001.json" "$id.sums-002.json"
		refuses "$volume, sums exchanged" "$work/copy" "${flags[@]}"
		;;
	esac
	case $volume in */zstd-aes256 | */zstd-age) # of the same size as another's
		other=$golden/rekeyed-zstd-aes256
		case $volume in *age) other=$golden/numbered-one-age ;; esac
		with_copy cp "$PWD/$(echo $other/shop/eu/*.sql.zst.*)" "$(basename "$volume"/shop/eu/*.sql.zst.*)"
		refuses "$volume, the object of another snapshot" "$work/copy" "${flags[@]}"
		;;
	esac
	echo "ok ${volume##*/}: $refused damaged copies are refused"
done

# What the golden volumes are too small for: chunks of 8 MiB, and more than one ciphertext.
go build -o "$work/dbbackup" ./examples/dbbackup
unset BACKUP_COMPRESSION BACKUP_COMPRESSION_LEVEL BACKUP_ENCRYPTION BACKUP_ENCRYPTION_OLD_KEYS
age-keygen -y "$work/identity" >"$work/recipients"
export BACKUP_AGE_RECIPIENTS_FILE=$work/recipients BACKUP_ENCRYPTION_KEY=$old
name=shop
# written COMPRESSION ENCRYPTION: backs up, and has it read.
written() {
	rm -rf "$work/volume"
	BACKUP_VOLUME=file://$work/volume "$work/dbbackup" backup --name shop --min-size 0 --compression "$1" --encryption "$2" "$work/plain" >/dev/null
	case $2 in none) flags=() ;; aes256 | 7z) flags=(--key "$old") ;; age) flags=(--age-identity "$work/identity") ;; esac
	reads "$work/volume" "$work/plain" "${flags[@]}"
	echo "ok dbbackup: $1, $2, $(stat -c %s "$work/plain") bytes"
}
for size in 0 1 1048519 1048520 1048521 2097080 2097081; do # the limits of plain 0 and plain 1
	head -c $size /dev/urandom >"$work/plain"
	written none aes256
done
{ seq 2000000; head -c 9M /dev/urandom; } >"$work/plain"
for encryption in none aes256 age; do
	for compression in none gzip zstd xz; do written $compression $encryption; done
done
for method in deflate lzma2 copy; do BACKUP_7Z_METHOD=$method written none 7z; done
