package main

import (
	"context"
	"fmt"
	"time"
)

const urlText = `print links from which a snapshot's objects can be fetched without credentials
Whoever has a link can read the object until the link ends, which --expires says, or the end of the credentials that
signed it if that is earlier. What is fetched is the stored stream, compressed and encrypted: one
link a line, in the order of the segments.`

func urlCommand(ctx context.Context, a *app, words []string) error {
	b, ref, err := a.openFor(ctx, words[0], reading)
	if err != nil {
		return err
	}
	asked := time.Now().Add(a.settings.expires)
	links, err := b.Links(ctx, ref, a.settings.expires)
	if err != nil {
		return err
	}
	if a.settings.json {
		return a.printJSON(links)
	}
	for _, l := range links {
		if err := a.println(l.URL); err != nil {
			return err
		}
	}
	until := links[0].Until
	for _, l := range links {
		if l.Until.Before(until) {
			until = l.Until
		}
	}
	note := "the links end at " + until.UTC().Format(time.RFC3339)
	if asked.Sub(until) > time.Minute {
		note += fmt.Sprintf(", earlier than asked for (%s): the credentials that signed them end then", asked.UTC().Format(time.RFC3339))
	}
	a.report.note(note)
	return nil
}
