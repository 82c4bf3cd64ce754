package faultproxy

import (
	"net/http"
	"strconv"
	"strings"
)

// planned is a Fault and how many requests it fitted so far.
type planned struct {
	Fault
	seen int
}

// hits counts the request, if f fits it, and reports whether it is one to fail.
func (f *planned) hits(op Operation, r *http.Request) bool {
	part := strconv.Itoa(f.Part)
	switch {
	case f.Operation != AnyOperation && f.Operation != op, !f.Kind.fits(op, r), !strings.Contains(r.URL.Path, f.Path),
		f.Part != 0 && r.URL.Query().Get("partNumber") != part:
		return false
	}
	f.seen++
	first := max(f.Nth, 1)
	return f.seen >= first && f.seen-first < max(f.Count, 1)
}

// Plan adds exact faults. Of those that hit one request the first added happens, together with all that only rewrite
// its header; each counts for itself. A fault that could never happen is an error, and none is added.
func (p *Proxy) Plan(faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		p.planned = append(p.planned, &planned{Fault: f})
	}
	return nil
}

// choose says what happens to a request: any number of rewrites and at most one other fault. Its Kind is empty for none.
func (p *Proxy) choose(op Operation, r *http.Request, id string) (rewrites []Fault, fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add := func(f Fault) {
		switch {
		case f.Kind.rewrites():
			rewrites = append(rewrites, f)
		case fault.Kind == "":
			fault = f
		}
	}
	for _, f := range p.planned {
		if f.hits(op, r) {
			add(f.Fault)
		}
	}
	if p.campaign != nil {
		add(p.campaign.draw(op, r, id))
	}
	return rewrites, fault
}
