package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// limitMemory keeps the program small beside the database that it backs up: below 100 MiB whatever the
// length of the stream, with the default compression, to S3 too. (A copy reads and writes at once, and takes half as much again.)
//
// Each worker holds blocks of its own, so memory grows with their number, which is GOMAXPROCS; two are faster
// than most dumps. Buffers are reused, and the heap hardly changes once they are there: collecting often
// costs little, and keeps the garbage of the start from lying beside them. A memory limit would do that
// too, but with xz, which needs more, it would make the collector run all the time.
//
// The variables GOMAXPROCS and GOGC say otherwise.
func limitMemory() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(2, runtime.GOMAXPROCS(0)))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(5)
	}
}
