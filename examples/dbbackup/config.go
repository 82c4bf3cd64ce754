package main

import (
	"context"
	"strings"
)

const configText = `show the settings in effect, and where each is from
Secrets are not shown, only the ids of keys, which reveal nothing. What is wrong is said, and makes the exit
status 2.`

func configCommand(_ context.Context, a *app, _ []string) error {
	var err error
	if a.settings.json {
		err = a.printJSON(a.config)
	} else {
		err = a.println(strings.TrimSpace(a.config.String()))
	}
	if err == nil && len(a.config.Problems()) > 0 {
		err = usagef("%d settings are wrong, or missing", len(a.config.Problems()))
	}
	return err
}
