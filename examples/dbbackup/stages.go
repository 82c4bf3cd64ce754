package main

import (
	"strconv"

	"github.com/databasement/backup/compress"
)

// compressor makes what --compression and --level ask for. Only a command that writes needs it: a bad setting
// must not stand between anybody and a restore.
func (a *app) compressor(as access) (compress.Compressor, error) {
	if as != writing {
		return nil, nil
	}
	name := a.settings.compression
	if name == "" {
		name = compress.All()[0].Name()
	}
	level := compress.DefaultLevel
	if s := a.settings.level; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, usagef("compression level %q is not a whole number", s)
		}
		level = n
	}
	c, err := compress.ByName(name, level)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return c, nil
}
