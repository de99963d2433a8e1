package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/callsemu/callsemu/cmd/callsemu/internal/doctor"
	"github.com/callsemu/callsemu/emulator"
)

// errUnhealthy is the end of a doctor that has said everything already.
var errUnhealthy = errors.New("a client gets no media")

type doctorCommand struct {
	trustedCA
	URL       string        `name:"url" default:"http://127.0.0.1:1473" env:"CALLSEMU_URL" help:"The API as clients reach it, with or without /v1; also https://rtc.live.cloudflare.com where the emulator stands in for it."`
	AppID     string        `name:"app-id" env:"CALLS_APP_ID" placeholder:"ID" help:"The app; the mode dev takes any."`
	AppSecret string        `name:"app-secret" env:"CALLS_APP_SECRET" placeholder:"SECRET" help:"Its secret."`
	TURNKey   string        `name:"turn-key" env:"CALLSEMU_TURN_KEY" placeholder:"ID:TOKEN" help:"A TURN key; the mode dev takes any."`
	Timeout   time.Duration `default:"5s" help:"When to give up, for each check."`
	JSON      bool          `name:"json" help:"Print one JSON object instead of lines."`
}

// Run prints one line for each check, or the report as JSON.
func (d *doctorCommand) Run(ctx context.Context, out streams) error {
	cfg, err := d.config()
	if err != nil {
		return err
	}
	report, err := doctor.Examine(ctx, cfg, func(r doctor.Result) {
		if !d.JSON {
			_, _ = fmt.Fprintln(out.stdout, r)
		}
	})
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped before everything was tried")
	}
	if err != nil {
		return err
	}
	if d.JSON {
		encoder := json.NewEncoder(out.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(report)
	} else {
		_, err = fmt.Fprintln(out.stdout, report.Summary())
	}
	if err == nil && !report.Healthy {
		return errUnhealthy
	}
	return err
}

func (d *doctorCommand) config() (doctor.Config, error) {
	cfg := doctor.Config{URL: d.URL, AppID: d.AppID, AppSecret: d.AppSecret, Timeout: d.Timeout}
	if (d.AppID == "") != (d.AppSecret == "") {
		return cfg, errors.New("--app-id and --app-secret go together; give both or neither")
	}
	keys, err := parsePairs("turn-key", "my-key:my-token", nonEmpty(d.TURNKey), emulator.ParseTURNKey)
	if err != nil {
		return cfg, err
	}
	for cfg.TURNKey, cfg.TURNToken = range keys { // any of them will do
		break
	}
	cfg.CA, cfg.CAFile, err = d.read()
	return cfg, err
}

func nonEmpty(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
