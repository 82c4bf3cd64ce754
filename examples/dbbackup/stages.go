package main

import (
	"strconv"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
)

// compressor makes what --compression and --level ask for. Only a command that writes needs it: a bad setting
// must not stand between anybody and a restore. 7z compresses by itself.
func (a *app) compressor(as access) (compress.Compressor, error) {
	if as != writing || a.settings.encryption == encryption7z && a.settings.compression == "" {
		return nil, nil
	}
	name := a.settings.compression
	if name == "" {
		name = compress.All()[0].Name()
	}
	level, err := a.level(compress.DefaultLevel)
	if err != nil {
		return nil, err
	}
	c, err := compress.ByName(name, level)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return c, nil
}

// level is --level, or else standard.
func (a *app) level(standard int) (int, error) {
	if a.settings.level == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(a.settings.level)
	if err != nil {
		return 0, usagef("compression level %q is not a whole number", a.settings.level)
	}
	return n, nil
}

// archives reads .7z archives, and writes them as --7z-method and --level ask for, with the first of the passwords.
func (a *app) archives(write bool, passwords []sevenzip.Password) (crypto.Encryptor, error) {
	o := &sevenzip.Options{ReadWith: passwords[1:], File: a.settings.file}
	if write && a.settings.encryption == encryption7z {
		level, err := a.level(0)
		if err != nil {
			return nil, err
		}
		o.Method, o.Level = sevenzip.Method(a.settings.method), level
	}
	e, err := sevenzip.New(passwords[0], o)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return e, nil
}
