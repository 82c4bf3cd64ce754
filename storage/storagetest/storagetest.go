// Package storagetest helps those who write volumes and those who use them:
// [Run] is the suite that every storage.Volume passes, and [Faulty] is a volume
// that fails on command.
//
// What belongs here is what tests of several packages need; nothing here is for
// production code.
package storagetest

import (
	"testing"

	"github.com/databasement/backup/storage"
)

// Run tests a volume against the contract in package storage: every clause of
// [storage.Volume], and every capability that [storage.As] finds.
//
//	func TestVolume(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) storage.Volume {
//			v, err := mystore.New(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			return v
//		})
//	}
//
// open is called for each subtest and returns a volume without objects; what it
// starts it ends with t.Cleanup. The subtests run one after the other. They
// watch for goroutines that stay behind, so no parallel test should run meanwhile.
//
// The suite writes some hundred MiB and, for the listings, 10,000 objects of one byte; with
// -short it is 1,100 objects. It needs a volume that takes objects of 100,000 bytes.
func Run(t *testing.T, open func(t *testing.T) storage.Volume) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// check is one subtest. It takes a TB, so that the tests of this package can run
// it on a broken volume and see that it fails.
type check struct {
	name string
	run  func(t testing.TB, v storage.Volume)
}

var checks = []check{
	{"Put/Sizes", putSizes},
	{"Put/Object", putObject},
	{"Put/Replace", putReplace},
	{"Put/OddReaders", putOddReaders},
	{"Put/ReadError", putReadError},
	{"Put/ReadErrorLeavesOld", putReadErrorLeavesOld},
	{"Put/Cancel", putCancel},
	{"Put/InvisibleUntilDone", putInvisible},
	{"Put/OldVisibleUntilDone", putOldVisible},
	{"Open/Ranges", openRanges},
	{"Open/Reader", openReader},
	{"Open/Missing", openMissing},
	{"Open/Cancel", openCancel},
	{"Open/CloseEarly", openCloseEarly},
	{"Open/DuringReplace", openDuringReplace},
	{"Stat", stat},
	{"List/Order", listOrder},
	{"List/Prefix", listPrefix},
	{"List/Many", listMany},
	{"List/Cancel", listCancel},
	{"Delete", remove},
	{"Cancelled", cancelled},
	{"Names/Odd", namesOdd},
	{"Names/Invalid", namesInvalid},
	{"PutHead/Stores", headStores},
	{"PutHead/Refuses", headRefuses},
	{"PutHead/InvisibleUntilDone", headInvisible},
	{"PutIfAbsent/Refuses", absentRefuses},
	{"PutIfAbsent/Race", absentRace},
	{"Presign", presign},
	{"MaxObjectSize", sizeLimit},
	{"SweepUnfinished", sweep},
	{"Concurrent/Mixed", concurrentMixed},
	{"Concurrent/SameName", concurrentSameName},
	{"Goroutines", goroutines},
}
