#!/usr/bin/env bash
# Shows that there is no lock-in: what dbbackup writes with each stage opens with the stock zstd, gzip, xz, age and 7zz,
# and what these tools write restores with "dbbackup open". Exits with 1 at the first difference.
#
# Needs go and what scripts/tools.sh installs. Works in a temporary directory, and leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in go zstd gzip xz age age-keygen 7zz; do
	command -v "$tool" >/dev/null || { echo "stocktools: there is no $tool: run scripts/tools.sh" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "stocktools: FAILED: $*" >&2; exit 1; }

# same DESCRIPTION: standard input must be the original.
same() { cmp - "$work/plain.sql" || fail "$1"; echo "ok $1"; }

go build -o "$work/dbbackup" ./examples/dbbackup
export BACKUP_VOLUME=file://$work/volume
unset BACKUP_COMPRESSION BACKUP_COMPRESSION_LEVEL BACKUP_ENCRYPTION BACKUP_ENCRYPTION_KEY BACKUP_ENCRYPTION_OLD_KEYS BACKUP_7Z_METHOD
age-keygen -o "$work/identity" 2>/dev/null
age-keygen -y "$work/identity" >"$work/recipients"
export BACKUP_AGE_RECIPIENTS_FILE=$work/recipients BACKUP_AGE_IDENTITIES_FILE=$work/identity

# 8 MB of text and 2 MB of noise: more than one chunk and frame.
{
	seq -f 'INSERT INTO orders VALUES (%.0f, '\''Größe'\'', 3.14);' 160000
	head -c 2M /dev/urandom
} >"$work/plain.sql"

# store COMPRESSION ENCRYPTION [FLAGS]: backs up, and prints the path of the object.
store() {
	local compression=$1 encryption=$2 id
	shift 2
	id=$("$work/dbbackup" backup --name shop --compression "$compression" --encryption "$encryption" "$@" "$work/plain.sql" | tail -1)
	echo "$work"/volume/"$id".sql*
}

undo() {
	case $1 in
	none) cat ;;
	zstd) zstd -qdc ;;
	gzip) gzip -dc ;;
	xz) xz -dc ;;
	age) age -d -i "$work/identity" ;;
	esac
}

for encryption in none age; do
	for compression in none zstd gzip xz; do
		object=$(store "$compression" "$encryption")
		undo "$encryption" <"$object" | undo "$compression" | same "dbbackup -> stock $encryption and $compression (${object#*sql})"
	done
done
for level in 1 19; do
	object=$(store zstd none --level "$level")
	zstd -qt "$object" || fail "zstd -t at level $level"
	undo zstd <"$object" | same "dbbackup at level $level -> stock zstd"
done

# archive [FLAGS]: backs up as .7z, and prints the path of the first object.
archive() {
	local id
	id=$("$work/dbbackup" backup --name shop --encryption 7z "$@" "$work/plain.sql" | tail -1)
	echo "$work"/volume/"$id".sql.7z*
}

key=$("$work/dbbackup" keygen 2>/dev/null)
export "${key?}"
password=$(echo "$BACKUP_ENCRYPTION_KEY" | cut -d: -f2 | base64 -d | od -An -v -tx1 | tr -d ' \n')
for flags in "" "--level 1" "--level 9" "--7z-method lzma2 --level 1" "--7z-method lzma2" "--7z-method copy" "--segment-size 3000000"; do
	# shellcheck disable=SC2086 # words
	read -r object _ <<<"$(archive $flags)"
	7zz t -p"$password" "$object" >/dev/null || fail "7zz t of ${object#*sql}"
	7zz x -so -p"$password" "$object" | same "dbbackup -> 7zz (${object#*sql} $flags)"
done

# foreign OBJECT: "dbbackup open" must give the original.
foreign() { "$work/dbbackup" open "foreign/$1" | same "stock $2 -> dbbackup open ($1)"; }

mkdir -p "$work/volume/foreign"
cd "$work/volume/foreign"
plain=$work/plain.sql
zstd -qc "$plain" >a.sql.zst
foreign a.sql.zst zstd
zstd -qc -19 --long=27 "$plain" >long.sql.zst
foreign long.sql.zst "zstd -19 --long=27"
{ head -c 1M "$plain" | zstd -qc; tail -c +1048577 "$plain" | zstd -qc --no-check; } >two.sql.zst
foreign two.sql.zst "zstd, two frames"
gzip -c "$plain" >a.sql.gz
foreign a.sql.gz gzip
{ head -c 1M "$plain" | gzip -1; tail -c +1048577 "$plain" | gzip -9; } >two.sql.gz
foreign two.sql.gz "gzip, two members"
xz -c -T2 "$plain" >a.sql.xz
foreign a.sql.xz "xz -T2"
xz -c -1 --check=sha256 "$plain" >sha.sql.xz
foreign sha.sql.xz "xz --check=sha256"
age -R "$work/recipients" -o a.sql.age "$plain"
foreign a.sql.age age
zstd -qc "$plain" | age -R "$work/recipients" >a.sql.zst.age
foreign a.sql.zst.age "zstd and age"
split -b 5M -d -a 3 --numeric-suffixes=1 a.sql.zst.age parts.sql.zst.age.
foreign parts.sql.zst.age.001 "split"
for method in LZMA2 LZMA Deflate BZip2 PPMd Copy; do
	for header in on off; do
		7zz a -t7z -mx=6 -m0=$method -mhe=$header -p"$password" "$method$header.sql.7z" "$plain" >/dev/null
		foreign "$method$header.sql.7z" "7zz, $method, header encryption $header"
	done
done
7zz a -t7z -v1m -mhe=on -p"$password" pieces.sql.7z "$plain" >/dev/null
foreign pieces.sql.7z.001 "7zz, volumes"

# What is cut or changed must not pass.
head -c -1 a.sql.zst >cut.sql.zst
if "$work/dbbackup" open foreign/cut.sql.zst >/dev/null 2>&1; then fail "a cut object passed"; fi
{ cat a.sql.gz; echo garbage; } >more.sql.gz
if "$work/dbbackup" open foreign/more.sql.gz >/dev/null 2>&1; then fail "garbage behind an object passed"; fi
for object in *on.sql.7z; do
	head -c -1 "$object" >cut.sql.7z
	if "$work/dbbackup" open foreign/cut.sql.7z >/dev/null 2>&1; then fail "$object passed, cut"; fi
	{ cat "$object"; echo garbage; } >more.sql.7z
	if "$work/dbbackup" open foreign/more.sql.7z >/dev/null 2>&1; then fail "$object passed, with garbage behind"; fi
done
echo "ok cut and lengthened objects are refused"
