package main

import "runtime/debug"

// limitMemory keeps the program small beside the database that it backs up.
func limitMemory() {
	debug.SetGCPercent(50)
}
