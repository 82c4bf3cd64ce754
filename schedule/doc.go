// Package schedule runs backups, and other jobs, at the times that cron expressions say, once for each of
// these times in all replicas of a program together.
//
// A time of a job's cron expression is a slot. A slot is done when the job says so: one of [Backup] when a
// committed snapshot has an id at or after the slot's time, so nothing but the volume is needed to know. Replicas
// that share a volume agree by claims, small objects that only one of them can put ([storage.ExclusivePutter]):
//
//	.schedule/<job>/<slot>.<try>     who makes this try, and until when the others wait for it
//	.schedule/<job>/<slot>.done      the slot is done; of jobs that have no Done of their own
//
// A try that failed is followed, after a pause, by the next one, by whichever replica comes first; one whose owner
// died, when its Timeout has passed. So a slot may be run more than once, which for backups is harmless; it is run
// until it is done, while a replica lives, tries are left and no newer slot has come. Claims are compared with the
// clock of the replica that looks. Clocks that differ by more than a minute (or a tenth of the Timeout, if that is
// less) may cause a try more.
//
// At the start the latest slot, and only that, is made up for if it is not done. So it is when a run took longer than
// to the next slot: a job never runs twice at a time in one process. (In two it may: claims are about one slot.)
//
// Where clocks change for daylight saving time, a slot that the change skips is at the moment of the change, and one
// that the clock shows twice is at the first. Jobs of every hour just go on.
package schedule
