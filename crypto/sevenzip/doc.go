// Package sevenzip writes encrypted .7z archives as a stream, which stock 7-Zip opens, and reads them, and those of 7-Zip.
//
// [New] makes a crypto.Encryptor for a backup; [NewWriter] writes an archive to anything that seeks, such as a file; [NewReader] reads one. An
// archive that is written has one file, with its name and time of modification, compressed with LZMA2, Deflate or not at all, and encrypted like
// the header with AES-256 in CBC mode. Memory is fixed, and nothing but the first 32 bytes is written out of order: they come last.
//
// # What it promises
//
// AES-256-CBC hides contents, name and time, but authenticates nothing: who can write to where an archive lies can change it without the
// password. They cannot choose what is read instead, but which blocks of 16 bytes become random ones, and in a stored (Copy) archive they can also flip chosen
// bits, at the price of a random block before these. CRC-32 tells accidents, and is no obstacle to an attack: in a stored archive it can be
// arranged to match. So of an archive alone believe only that it holds what somebody wrote who had the password, or nonsense. Nothing
// is checked before the end, so what was read of a damaged archive is not to be used.
//
// A snapshot of a Backup has a manifest besides, with the SHA-256 of what is stored and of the plain stream, in a seal made with AES-256-GCM
// under a key derived from the same password. Restore and Verify check it, and refuse any change, before a byte of the chunk in
// question is decrypted. Who reads the bare object instead, with OpenObject or with 7-Zip, does without that.
//
// The size of the compressed stream is not hidden, and so is what that tells of the contents.
//
// # Passwords
//
// Use a key ([crypto.NewKey], [FromKey]): its password is 64 hex digits, which nobody guesses. 7-Zip's key derivation, 2^19 rounds of SHA-256,
// takes about a tenth of a second here and as good as nothing on special hardware, so a password that people can remember is found by trying.
//
// The key doubles as that password: who types it as "7zz x -p…" shows it to all users of that machine, and leaves it in
// the shell's history. 7zz -p alone asks for it.
//
// # Methods
//
// Of a dump of 221 MB, on two cores (docs/BENCHMARKS.md):
//
//	Deflate, level 6, the default   76.0 MB   177 MB/s    40 MiB of memory
//	LZMA2, level 3                  58.2 MB    19 MB/s   155 MiB
//	LZMA2, level 6                  53.6 MB    13 MB/s   200 MiB
//
// [Reader] knows Copy, Deflate, LZMA2, LZMA, BZip2, PPMd, Zstandard, the filters for executables and Delta, and AES-256: all that stock
// 7-Zip writes but Deflate64, with dictionaries of up to 256 MiB.
package sevenzip
