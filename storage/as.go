package storage

// As returns v as a T, usually one of the capabilities of this package, if v
// is one or is built over a volume that is.
//
// At v and at each volume below it As looks, in this order, for the type itself, for
// a method As(target any) bool, which, as with errors.As, sets *target (a *T) and reports whether it
// did, and for [Unwrapper], which leads to the next. The method is
// for a volume that has a capability only when the one below has it.
func As[T any](v Volume) (T, bool) {
	var t T
	for v != nil {
		if t, ok := v.(T); ok {
			return t, true
		}
		if a, ok := v.(interface{ As(target any) bool }); ok && a.As(&t) {
			return t, true
		}
		u, ok := v.(Unwrapper)
		if !ok {
			break
		}
		v = u.Unwrap()
	}
	var none T
	return none, false
}
