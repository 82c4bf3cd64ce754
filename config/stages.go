package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
)

// compressionEncrypted is Databasement's name for 7z with AES-256.
const compressionEncrypted = "encrypted"

// stages reads how snapshots are stored.
func (r *reader) stages() {
	r.value(volumeVariable, toOpen, "", func(v string) error {
		r.Volume = v
		return checkVolume(v)
	})
	if v, _ := r.lookup(volumeVariable); v == "" {
		r.wrong(volumeVariable, toOpen, "is not set: want file:///path or s3://bucket/prefix")
	}
	r.value("BACKUP_COMPRESSION", toWrite, "", oneOf(&r.compression, "zstd", "gzip", "xz", "none", compressionEncrypted))
	r.value("BACKUP_ENCRYPTION", toEncrypt, "", oneOf(&r.encryption, encryptionAES256, encryptionAge, encryption7z, encryptionNone))
	if r.compression == compressionEncrypted {
		if r.encryption != "" && r.encryption != encryption7z {
			r.wrong("BACKUP_COMPRESSION", toEncrypt, "encrypted means 7z with AES-256, but BACKUP_ENCRYPTION is %s: unset one of them", r.encryption)
		}
		r.compression, r.encryption = "", encryption7z
	}
	if r.encryption == encryption7z && r.compression != "" && r.compression != compress.None.Name() {
		r.wrong("BACKUP_COMPRESSION", toWrite, "encryption 7z compresses by itself: leave it unset instead of %s, or unset BACKUP_ENCRYPTION", r.compression)
	}
	hasLevel := false
	r.value("BACKUP_COMPRESSION_LEVEL", toWrite, "", func(v string) (err error) {
		hasLevel = true
		if r.level, err = strconv.Atoi(v); err != nil {
			r.level, hasLevel = compress.DefaultLevel, false
			return fmt.Errorf("%s is not a whole number", quoted(v))
		}
		return nil
	})
	method := ""
	r.value("BACKUP_7Z_METHOD", toWrite, "", oneOf(&method, string(sevenzip.Deflate), string(sevenzip.LZMA2), string(sevenzip.Copy)))
	r.method = sevenzip.Method(method)
	r.value("BACKUP_SEGMENT_SIZE", toWrite, "0", func(v string) (err error) {
		if r.segmentSize, err = strconv.ParseInt(v, 10, 64); err != nil || r.segmentSize < 0 || r.segmentSize > backup.MaxSegmentSize {
			r.segmentSize = 0
			return fmt.Errorf("%s is not a number of whole bytes between 0 and %d", quoted(v), int64(backup.MaxSegmentSize))
		}
		return nil
	})
	r.value("BACKUP_ALLOW_UNSEALED", always, "false", func(v string) error { return parseBool(v, &r.allowUnsealed) })
	if r.encryption != encryption7z {
		if method != "" {
			r.wrong("BACKUP_7Z_METHOD", toWrite, "is only for BACKUP_ENCRYPTION=7z: unset it")
		}
		if _, err := r.compressor(); err != nil && hasLevel {
			r.wrong("BACKUP_COMPRESSION_LEVEL", toWrite, "%w", err)
		}
		return
	}
	if !hasLevel {
		r.level = 0 // 7z's own default
	}
	archives, err := sevenzip.New(sevenzip.FromKey(crypto.NewKey()), &sevenzip.Options{Method: r.method, Level: r.level})
	if err != nil {
		r.wrong("BACKUP_COMPRESSION_LEVEL", toWrite, "%w", err)
		return
	}
	if late, ok := archives.(crypto.LateHeader); ok && r.segmentSize > 0 && r.segmentSize < int64(late.HeadSize()) {
		r.wrong("BACKUP_SEGMENT_SIZE", toWrite, "is less than the %d bytes that encryption 7z needs", late.HeadSize())
	}
}

// compressor is for new snapshots; nil is that of the Encryptor.
func (c *Config) compressor() (compress.Compressor, error) {
	if c.encryption == encryption7z {
		return nil, nil
	}
	name := c.compression
	if name == "" {
		name = compress.All()[0].Name()
	}
	return compress.ByName(name, c.level)
}

// oneOf takes one of the names, in any letters.
func oneOf(field *string, names ...string) func(string) error {
	return func(value string) error {
		if value = strings.ToLower(strings.TrimSpace(value)); !slices.Contains(names, value) {
			return fmt.Errorf("%s is none of %s", quoted(value), strings.Join(names, ", "))
		}
		*field = value
		return nil
	}
}

func parseBool(value string, field *bool) error {
	switch strings.ToLower(value) {
	case "true", "1", "yes", "on":
		*field = true
	case "false", "0", "no", "off":
		*field = false
	default:
		return errors.New("want true or false")
	}
	return nil
}

// Is7z reports whether new snapshots are .7z archives.
func (c *Config) Is7z() bool { return c.encryption == encryption7z }
