package lzmadec

// output is how far a decoder's window has been read, by somebody who reads all of it.
type output struct {
	at  int // window[at:pos] is still to be read
	err error
}

// read reads what d has decoded, and lets fill decode more where nothing is left. Errors of fill last.
func (o *output) read(p []byte, d *decoder, fill func() error) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for o.at == d.pos {
		if o.err != nil {
			return 0, o.err
		}
		o.err = fill()
	}
	n := copy(p, d.window[o.at:d.pos])
	o.at += n
	return n, nil
}

// wrap goes on at the window's start where it is full. All of it has been read then.
func (o *output) wrap(d *decoder) {
	if d.pos == len(d.window) {
		d.before += int64(d.pos)
		d.pos, o.at = 0, 0
	}
}
