package s3fs

// SetPartSize has v use parts of n bytes, which may be less than Options allow.
func SetPartSize(v *Volume, n int64) { v.o.PartSize = n }
