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
// A try that failed, or whose owner died, is followed by the next one, by whichever replica comes first. A slot may so be run
// more often than once, never less, as long as a replica lives and tries are left; for backups that is harmless.
// Claims are compared with the clock of the replica that looks. Clocks that differ by more than a minute (or
// a tenth of the Timeout, if that is less) may cause a try more.
//
// After a downtime the latest slot, and only that, is made up for. So it is when a run took longer than to the next slot: a job never runs
// twice at a time in one process. Where clocks change for daylight saving time, a slot that the change skips is at the moment of the change,
// and one that the clock shows twice is at the first; jobs of every hour just go on.
package schedule
