#!/usr/bin/env python3
"""A second reader of the backup format, written from docs/FORMAT.md alone: it shows that the text suffices.

    secondreader.py VOLUME_DIR NAME/ID|NAME/latest [--key base64:…]… [--age-identity FILE] [--password TEXT]

Writes the plain stream to standard output once all of it is verified; otherwise nothing, and exits with 1. Whoever
gives a key expects encrypted snapshots. Needs Python 3.11, python3-cryptography, and for what is made
with them the tools zstd, xz, age and 7zz. Comments in quotes name sections of FORMAT.md.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import namedtuple
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIB = 1 << 20
HEX64 = r"[0-9a-f]{64}"
ID = r"[0-9]{8}t[0-9]{9}z-[0-9a-f]{8}"
KEY_ID = r"[a-z0-9][a-z0-9._-]{0,63}"
STAGE_EXT = r"(\.[a-z0-9]{1,10})?"


class Refused(Exception):
    """What breaks the format, or was changed."""


def require(condition, message):
    if not condition:
        raise Refused(message)


def matches(regex, value):
    return re.fullmatch(regex, value) is not None


def decode_base64(encoded, what):
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise Refused(f"{what} is not base64") from None
    require(base64.b64encode(data).decode() == encoded, f"{what} is not in the one spelling of base64")
    return data


# --- "Volumes and objects" ---

def is_id(value):
    try:
        return matches(ID, value) and bool(datetime.strptime(value[:15], "%Y%m%dt%H%M%S"))
    except ValueError:
        return False


def check_name(name):
    require(1 <= len(name) <= 200, "the name does not have 1 to 200 bytes")
    for component in name.split("/"):
        require(matches(r"[a-z0-9][a-z0-9._-]*", component), f"component {component!r} of the name has what no name has")
        reserved = matches(rf"latest|{ID}|.*\.|(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", component)
        require(not reserved, f"component {component!r} of the name is reserved")


def resolve(volume, reference):
    name, _, snapshot_id = reference.rpartition("/")
    check_name(name)
    if snapshot_id == "latest":
        files = os.listdir(os.path.join(volume, name))
        ids = [f.removesuffix(".manifest.json") for f in files if f.endswith(".manifest.json")]
        snapshot_id = max(filter(is_id, ids), default="")
        require(snapshot_id, f"there is no snapshot of {name}")
    require(is_id(snapshot_id), f"{snapshot_id!r} is not an id")
    return name, snapshot_id


def read_object(directory, object_name, limit):
    with open(os.path.join(directory, object_name), "rb") as file:
        data = file.read(limit + 1)
    require(len(data) <= limit, f"{object_name} has more than {limit} bytes")
    return data


# --- "The manifest", line 1 ---

def text(limit=MIB):
    return lambda v: type(v) is str and len(v.encode("utf-8", "surrogatepass")) <= limit


def pattern(regex):
    return lambda v: type(v) is str and matches(regex, v)


def integer(low, high):
    return lambda v: type(v) is int and low <= v <= high


def list_of(check):
    return lambda v: type(v) is list and all(map(check, v))


def texts(number=MIB, limit=MIB):
    return lambda v: type(v) is dict and len(v) <= number and all(map(text(limit), [*v, *v.values()]))


def time_in_utc(value):
    try:
        return matches(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]{0,8}[1-9])?Z", value) and bool(datetime.fromisoformat(value[:19]))
    except (TypeError, ValueError):
        return False


# Field: (check, is it optional).
LINE1 = {
    "format": (integer(1, 1), False), "id": (text(), False), "name": (text(), False), "original_name": (text(1024), True),
    "copied_from": (text(), True), "ext": (pattern(r"(\.[a-z0-9]{1,10}){0,2}"), True), "source": (text(1024), True),
    "labels": (texts(64, 1024), True), "begun": (time_in_utc, False), "ended": (time_in_utc, False),
    "compression": (lambda v: type(v) is dict, False), "encryption": (lambda v: type(v) is dict, False),
    "plain_size": (integer(0, 2**63 - 1), False), "stored_size": (integer(0, 2**63 - 1), False),
    "chunk_size": (integer(1, 8 * MIB), False), "numbered": (lambda v: type(v) is bool, True),
    "segments": (lambda v: type(v) is list and 1 <= len(v) <= 999, False),
}
STAGE = {
    "name": (pattern(r"[a-z0-9-]{1,32}"), False), "ext": (pattern(STAGE_EXT), True), "params": (texts(), True),
    "key_ids": (list_of(text()), True), "header": (text(), True),
}
SEGMENT = {
    "object": (text(), False), "size": (integer(0, 2**63 - 1), False), "digest": (pattern(HEX64), False),
    "chunks": (list_of(pattern(HEX64)), True),
}


def check_fields(value, table, where):
    require(type(value) is dict, f"{where} is not an object")
    for field, (check, optional) in table.items():
        fits = check(value[field]) if field in value else optional
        require(fits, f"field {field} of {where} is missing or breaks its limits")


def unique_fields(pairs):
    require(len(dict(pairs)) == len(pairs), "line 1 of the manifest has a field twice")
    return dict(pairs)


def check_closed(value, free=False, depth=0):
    """What JSON leaves open."""
    require(value is not None and depth <= 16, "line 1 of the manifest has a null, or is nested too deep")
    if type(value) is dict:
        require(free or all(matches(r"[a-z0-9_]+", name) for name in value), "line 1 of the manifest has a name that no field has")
        for name, inner in value.items():
            check_closed(inner, name in ("labels", "params"), depth + 1)
    elif type(value) is list:
        for inner in value:
            check_closed(inner, False, depth + 1)


def parse_json(data, what, hook=None):
    def no_number(constant):
        raise ValueError(constant)
    try:
        return json.loads(data.decode(), object_pairs_hook=hook, parse_constant=no_number)
    except (ValueError, RecursionError):
        raise Refused(f"{what} is not JSON") from None


def check_line1(line1, name, snapshot_id):
    manifest = parse_json(line1, "line 1 of the manifest", unique_fields)
    check_closed(manifest)
    check_fields(manifest, LINE1, "the manifest")
    labels = manifest.get("labels", {})
    all_texts = [manifest.get("original_name", ""), manifest.get("source", ""), *labels, *labels.values()]
    require(sum(len(t.encode("utf-8", "surrogatepass")) for t in all_texts) <= 32768, "labels and other texts have too many bytes")
    require((manifest["name"], manifest["id"]) == (name, snapshot_id), "the manifest is of another snapshot")
    check_fields(manifest["compression"], STAGE, "compression")
    check_fields(manifest["encryption"], STAGE, "encryption")
    require(not manifest["compression"].get("header"), "compression has a header")
    header = decode_base64(manifest["encryption"].get("header", ""), "encryption.header")
    require(len(header) <= 8192, "encryption.header has more than 8192 bytes")
    check_segments(manifest)
    return manifest, header


def check_segments(manifest):
    exts = [manifest.get("ext", ""), manifest["compression"].get("ext", ""), manifest["encryption"].get("ext", "")]
    stem = manifest["id"] + "".join(exts)
    require(not any(re.search(r"\.[0-9]{3}\Z", ext) for ext in exts), "an ext looks like a segment's number")
    require("".join(exts) != ".manifest.json", "the exts are those of a manifest")
    segments = manifest["segments"]
    for number, segment in enumerate(segments, 1):
        check_fields(segment, SEGMENT, f"segment {number}")
        suffix = f".{number:03}" if number > 1 or manifest.get("numbered") else ""
        require(segment["object"] == stem + suffix, f"segment {number} has the wrong object")
        require(segment["size"] <= 9000 * manifest["chunk_size"], f"segment {number} is too large")
        last, first_size = number == len(segments), segments[0]["size"]
        fits = segment["size"] <= first_size if last else segment["size"] == first_size
        require(fits and (segment["size"] or number == 1), "segments are not of one size")
        require(len(segments) == 1 or not segment.get("chunks"), "one of several segments has chunks in the manifest")
    require(sum(s["size"] for s in segments) == manifest["stored_size"], "stored_size is not the sum of the segments'")
    if len(segments) == 1:
        check_digest(segments[0], segments[0].get("chunks", []), manifest["chunk_size"], "segment 1")


def check_digest(segment, chunks, chunk_size, where):
    require(len(chunks) == -(-segment["size"] // chunk_size), f"{where} has the wrong number of chunks")
    digest = hashlib.sha256(bytes.fromhex("".join(chunks))).hexdigest()
    require(digest == segment["digest"], f"the chunks of {where} do not give its digest")


# --- "Line 2: the seal" ---

def parse_line2(line2, encryption):
    """Returns the plain stream's and the manifest's SHA-256 in hex; with an encryption, S."""
    if encryption == "none":
        found = re.fullmatch(rf'\{{"plain_sha256":"({HEX64})","manifest_sha256":"({HEX64})"\}}'.encode(), line2)
        require(found, "line 2 of the manifest is not a seal without encryption")
        return found[1].decode(), found[2].decode()
    found = re.fullmatch(rb'\{"seal":"([A-Za-z0-9+/=]+)"\}', line2)
    require(found, "line 2 of the manifest is not a seal")
    sealed = decode_base64(found[1].decode(), "the seal")
    require(len(sealed) <= 65536, "the seal has more than 65536 bytes")
    return sealed


class NoEncryption:
    def __init__(self, _keys, _header):
        pass

    def open_seal(self, digests, line1):
        require(hashlib.sha256(line1).hexdigest() == digests[1], "line 1 of the manifest does not have its SHA-256")
        return bytes.fromhex(digests[0])

    def decrypt(self, stored, write):
        copy(stored, write)


# --- "aes256" ---

Envelope = namedtuple("Envelope", "key_id name id wrapped aad")


def hkdf(key, salt, info, size=32):
    return HKDF(hashes.SHA256(), size, salt, info).derive(key)


def open_gcm(key, nonce, ciphertext, aad, what):
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except (InvalidTag, ValueError):
        raise Refused(f"{what} cannot be decrypted: it was changed, or the key is another") from None


def parse_key(key):
    require(key.startswith("base64:"), "a key is base64: and its base64")
    encoded = key.removeprefix("base64:").rstrip("=")
    data = decode_base64(encoded + "=" * (-len(encoded) % 4), "the key")
    require(len(data) == 32 and any(data), "a key has 32 bytes, not all zero")
    return data


def parse_envelope(data):
    require(data[:8] == b"DBBKAES\x01", "this is not a header of aes256")
    require(len(data) <= 8192 and data[8:10] == struct.pack(">H", len(data)), "the header of aes256 has another length")
    fields, at = [], 10
    for width in (1, 1, 1, 2):
        length = int.from_bytes(data[at:at + width], "big")
        fields.append(data[at + width:at + width + length])
        require(len(fields[-1]) == length, "the header of aes256 is cut")
        identity_end, at = at, at + width + length
    require(at == len(data) and 1 <= len(fields[3]) <= 4096, "the header of aes256 does not end with a wrapped key")
    key_id, name, snapshot_id = (field.decode("latin-1") for field in fields[:3])
    require(matches(KEY_ID, key_id), "the header of aes256 has no key id")
    return Envelope(key_id, name, snapshot_id, fields[3], data[:8] + data[10:identity_end])


class AES256:
    def __init__(self, keys, header):
        self.header = header
        envelope = parse_envelope(header)
        require((envelope.name, envelope.id) == (keys.name, keys.id), "the header of aes256 is of another snapshot")
        self.data_key = self.unwrap(keys.aes, envelope) or self.unwrap_rekeyed(keys)
        require(self.data_key, f"no key fits: this takes the key {envelope.key_id}, or one of the wraps'")

    @staticmethod
    def unwrap(aes_keys, envelope):
        for key in aes_keys:
            if hkdf(key, None, b"key id")[:8].hex() == envelope.key_id and len(envelope.wrapped) == 60:
                wrap_key, nonce, wrapped = hkdf(key, None, b"wrap"), envelope.wrapped[:12], envelope.wrapped[12:]
                return open_gcm(wrap_key, nonce, wrapped, envelope.aad, "the data key")
        return None

    def unwrap_rekeyed(self, keys):
        wraps = [f for f in os.listdir(keys.directory) if matches(re.escape(keys.id) + r"\.wrap-" + KEY_ID, f)]
        own = [hkdf(key, None, b"key id")[:8].hex() for key in keys.aes]
        for wrap in sorted(wraps, key=lambda w: (w.partition(".wrap-")[2] not in own, w))[:64]:
            try:
                envelope = parse_envelope(read_object(keys.directory, wrap, 8192))
                if (envelope.name, envelope.id) == (keys.name, keys.id) and (data_key := self.unwrap(keys.aes, envelope)):
                    return data_key
            except Refused as err:
                print(f"secondreader: {wrap} is passed over: {err}", file=sys.stderr)
        return None

    def open_seal(self, sealed, line1):
        require(len(sealed) == 60, "the seal does not have 60 bytes")
        return open_gcm(hkdf(self.data_key, None, b"manifest"), sealed[:12], sealed[12:], line1, "the seal")

    def decrypt(self, stored, write):
        """"Body": whether a ciphertext is the last is known from the end of the stream alone."""
        stored.seek(len(self.header))
        start = stored.read(40)
        require(len(start) == 40 and start[0] == 40, "the body of aes256 has no stream header")
        stream_key = hkdf(hkdf(self.data_key, None, b"body"), start[1:33], self.header)
        number, size, ahead = 0, MIB - 40, stored.read(MIB - 40)
        last = False
        while not last:
            ciphertext, ahead, size = ahead, stored.read(MIB), MIB
            last = not ahead
            require(number <= 0xFFFFFFFF, "the body of aes256 is too long")
            require(len(ciphertext) > 16 or (number == 0 and len(ciphertext) == 16), "a ciphertext is too short")
            nonce = start[33:] + struct.pack(">IB", number, last)
            write(open_gcm(stream_key, nonce, ciphertext, None, f"ciphertext {number}"))
            number += 1


# --- "age" ---

class Age:
    def __init__(self, keys, header):
        require(keys.age_identity, "this takes an age identity")
        shape = rb"age-encryption\.org/v1\n(?:(?!---)[^\n]*\n)+---[^\n]*\n"
        require(not header or re.fullmatch(shape, header), "encryption.header is not a header of age")
        self.command = ["age", "-d", "-i", keys.age_identity]

    def open_seal(self, sealed, line1):
        with tempfile.NamedTemporaryFile() as file:
            file.write(sealed)
            opened = bytearray()
            self.decrypt(file, opened.extend)
        require(len(opened) == 72 and opened[:8] == b"DBBKAGE\x01", "the seal does not hold what a seal of age holds")
        require(hashlib.sha256(line1).digest() == opened[8:40], "line 1 of the manifest does not have its SHA-256")
        return bytes(opened[40:])

    def decrypt(self, stored, write):
        stored.seek(0)
        require(stored.readline(100) == b"age-encryption.org/v1\n", "this is not a binary age file")
        run_tool(self.command, stored, write)


# --- "7z" ---

class SevenZip:
    """The archive itself is for stock 7-Zip."""

    def __init__(self, keys, header):
        require(not header, "7z has an encryption.header")
        require(keys.aes or keys.password, "this takes a key or a password")
        self.keys = keys

    def open_seal(self, sealed, line1):
        require(len(sealed) == 93 and sealed[:8] == b"DBBK7ZS\x01", "the seal is not one of 7z")
        salt, check, nonce, ciphertext = sealed[9:25], sealed[25:33], sealed[33:45], sealed[45:]
        for master, self.password in self.masters(sealed[8], salt):
            derived = hkdf(master, salt, b"7z manifest", 40)
            if derived[32:] == check:
                return open_gcm(derived[:32], nonce, ciphertext, line1, "the seal")
        raise Refused("no key or password fits, or the seal was changed")

    def masters(self, kind, salt):
        require(kind in (1, 2), "the seal is of a kind that 7z does not have")
        if kind == 1:
            return [(key, key.hex()) for key in self.keys.aes]
        passwords = [self.keys.password] if self.keys.password else []
        return [(hashlib.pbkdf2_hmac("sha256", p.encode(), salt, 600_000), p) for p in passwords]

    def decrypt(self, stored, write):
        run_tool(["7zz", "x", "-so", "-p" + self.password, stored.name], stored, write)


# --- "The stored stream" ---

def copy(source, write):
    source.seek(0)
    while block := source.read(MIB):
        write(block)


def run_tool(command, source, write):
    source.flush()
    os.lseek(source.fileno(), 0, os.SEEK_SET)
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=errors) as tool:
            try:
                while block := tool.stdout.read(MIB):
                    write(block)
            except Refused:
                tool.kill()
                raise
        errors.seek(0)
        require(tool.returncode == 0, f"{command[0]}: {errors.read(2000).decode(errors='replace').strip()}")


def gunzip(source, write):
    """RFC 1952 by zlib, because the tool gzip passes over zero bytes behind the end."""
    source.seek(0)
    data = source.read(MIB)
    require(data, "gzip: there is no member")
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            require(data, "gzip: the last member is cut")
            try:
                write(member.decompress(data))
            except zlib.error as err:
                raise Refused(f"gzip: {err}") from None
            data = member.unused_data or source.read(MIB)


def unzstd(source, write):
    source.seek(0)
    magic = source.read(4)  # of a frame, skippable or not: the tool would take gzip too
    require(re.fullmatch(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", magic), "zstd: there is no frame")
    run_tool(["zstd", "-dcq", "--memory=128MiB"], source, write)


def unxz(source, write):
    """The list tells what the format forbids and the tool would take: other filters, and large dictionaries."""
    listing = bytearray()
    run_tool(["xz", "--robot", "-lvv", source.name], source, listing.extend)
    for line in listing.decode(errors="replace").splitlines():
        fields = line.split("\t")
        if fields[0] == "block":
            found = re.fullmatch(r"--lzma2=dict=([0-9]+)(MiB|KiB|)", fields[-1])
            require(found, f"xz: the filters are {fields[-1]}, not LZMA2 alone")
            size = int(found[1]) * {"MiB": MIB, "KiB": 1024, "": 1}[found[2]]
            require(size <= 128 * MIB, "xz: the dictionary is too large")
    run_tool(["xz", "-dcq", "--format=xz"], source, write)


DECOMPRESS = {"none": copy, "gzip": gunzip, "zstd": unzstd, "xz": unxz}
ENCRYPTIONS = {"none": NoEncryption, "aes256": AES256, "age": Age, "7z": SevenZip}


# --- "Reading", by its steps ---

Keys = namedtuple("Keys", "aes age_identity password directory name id")


class PlainStream:
    """Step 9: the plain stream, in a temporary file until it is verified."""

    def __init__(self, size, digest):
        self.size, self.digest, self.sha256, self.file = size, digest, hashlib.sha256(), tempfile.TemporaryFile()

    def write(self, block):
        require(self.file.tell() + len(block) <= self.size, "the plain stream is longer than plain_size")
        self.sha256.update(block)
        self.file.write(block)

    def check(self):
        require(self.file.tell() == self.size, "the plain stream is shorter than plain_size")
        require(self.sha256.digest() == self.digest, "the plain stream does not have its SHA-256")


def read_sums(directory, manifest):
    """Step 6: sizes, and the chunk digests of each segment."""
    segments, digests = manifest["segments"], []
    for segment in segments:
        size = os.path.getsize(os.path.join(directory, segment["object"]))
        require(size == segment["size"], f"{segment['object']} has {size} bytes, not {segment['size']}")
    if len(segments) == 1:
        return [segments[0].get("chunks", [])]
    for number, segment in enumerate(segments, 1):
        object_name = f"{manifest['id']}.sums-{number:03}.json"
        start = f'{{"format":1,"id":"{manifest["id"]}","segment":{number},"chunks":['
        sums = read_object(directory, object_name, MIB)
        spelling = rf'{re.escape(start)}("{HEX64}"(,"{HEX64}")*)?\]\}}'
        require(re.fullmatch(spelling.encode(), sums), f"{object_name} is not in its one spelling")
        digests.append(re.findall(HEX64, sums.decode().removeprefix(start)))
        check_digest(segment, digests[-1], manifest["chunk_size"], object_name)
    return digests


def read_stored(directory, manifest, digests, header):
    """Step 7: the stored stream, every chunk of it verified, in a temporary file."""
    stored = tempfile.NamedTemporaryFile()
    for segment, chunks in zip(manifest["segments"], digests):
        with open(os.path.join(directory, segment["object"]), "rb") as file:
            for number, digest in enumerate(chunks):
                chunk = file.read(manifest["chunk_size"])
                fits = hashlib.sha256(chunk).hexdigest() == digest
                require(fits, f"chunk {number} of {segment['object']} does not have its digest")
                stored.write(chunk)
            require(not file.read(1), f"{segment['object']} has grown")
    require(stored.tell() == manifest["stored_size"], "a segment has shrunk")
    stored.seek(0)
    require(stored.read(len(header)) == header, "the stored stream does not begin with encryption.header")
    return stored


def read_snapshot(volume, reference, aes_keys, age_identity, password):
    name, snapshot_id = resolve(volume, reference)
    directory = os.path.join(volume, name)
    data = read_object(directory, snapshot_id + ".manifest.json", MIB)
    first = parse_json(data.partition(b"\n")[0], "line 1 of the manifest")  # step 1
    require(type(first) is dict, "line 1 of the manifest is not an object")
    newer = type(first.get("format")) is int and first["format"] > 1
    require(not newer, "a newer version wrote this: upgrade the reader")
    lines = data.split(b"\n")  # step 2
    require(len(lines) == 3 and not lines[2], "the manifest does not have two lines")
    manifest, header = check_line1(lines[0], name, snapshot_id)
    compression, encryption = manifest["compression"]["name"], manifest["encryption"]["name"]
    seal = parse_line2(lines[1], encryption)
    expected = aes_keys or age_identity or password  # step 3
    require(encryption != "none" or not expected, "the snapshot is not encrypted, though a key was given")
    require(compression in DECOMPRESS, f"this reader does not have the compression {compression}")
    require(encryption in ENCRYPTIONS, f"this reader does not have the encryption {encryption}")
    opener = ENCRYPTIONS[encryption](Keys(aes_keys, age_identity, password, directory, name, snapshot_id), header)  # step 4
    plain = PlainStream(manifest["plain_size"], opener.open_seal(seal, lines[0]))  # step 5
    digests = read_sums(directory, manifest)  # step 6
    stored = read_stored(directory, manifest, digests, header)  # step 7
    with stored, tempfile.NamedTemporaryFile() as decrypted:  # step 8
        opener.decrypt(stored, decrypted.write)
        DECOMPRESS[compression](decrypted, plain.write)
    plain.check()  # step 9
    return plain.file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volume")
    parser.add_argument("reference", metavar="NAME/ID")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--age-identity")
    parser.add_argument("--password")
    args = parser.parse_args()
    try:
        plain = read_snapshot(args.volume, args.reference, list(map(parse_key, args.key)), args.age_identity, args.password)
        plain.seek(0)
        shutil.copyfileobj(plain, sys.stdout.buffer, MIB)
        sys.stdout.flush()
    except (Refused, OSError) as err:
        sys.exit(f"secondreader: {err}")


main()
