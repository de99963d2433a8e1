package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
)

// streams are the process's outputs: the start message and answers go to stdout, the log to stderr.
type streams struct {
	stdout, stderr io.Writer
}

type serveCommand struct {
	settings
}

// Run serves until ctx ends.
func (s *serveCommand) Run(ctx context.Context, out streams, unknown []stranger) error {
	cfg, err := s.config(out.stderr)
	if err != nil {
		return err
	}
	warn(cfg.Logger, unknown)
	e, err := emulator.New(cfg)
	if err != nil {
		return portsTaken(ctx, err)
	}
	e.Start()
	_, _ = io.WriteString(out.stdout, startMessage(e, cfg, len(cfg.Apps) == 0))
	<-ctx.Done()
	return e.Close()
}

// startMessage is what a user needs for the first call.
func startMessage(e *emulator.Emulator, cfg emulator.Config, madeUp bool) string {
	var b strings.Builder
	row := func(name, value string) { fmt.Fprintf(&b, "  %-10s %s\n", name, value) }
	b.WriteString("callsemu " + version() + "\n")
	row("base URL", e.BaseURL())
	row("app id", e.AppID())
	row("secret", e.Secret()+credentialNote(madeUp, cfg.Mode))
	row("account", e.AccountID()+" with API token "+e.AccountToken()+accountNote(len(cfg.Accounts) == 0, cfg.Mode))
	if more := e.HTTPURLs(); len(more) > 0 {
		row("HTTP", strings.Join(more, ", "))
	}
	row("HTTPS", strings.Join(e.HTTPSURLs(), ", ")+"  ("+caText(e, cfg)+")")
	row("media", mediaText(e))
	stun := e.STUNURL()
	if stun == "" {
		stun = "off"
	}
	row("STUN", stun)
	if turn := e.TURNURLs(); len(turn) > 0 {
		row("TURN", strings.Join(turn, ", "))
		row("TURN key", e.TURNKeyID()+" with API token "+e.TURNKeyToken()+turnNote(len(cfg.TURNKeys) == 0, cfg.Mode))
	}
	row("mode", cfg.Mode.String()+", contract "+cfg.Contract.String())
	for _, c := range session.Changes() {
		if !cfg.Contract.InForce(c) {
			row("", "not yet, but from "+c.Since+" on: "+c.Help)
		}
	}
	name := "deviates"
	for _, d := range e.Deviations() {
		row(name, strings.ReplaceAll(d.ID+" "+d.Text+" [off: "+d.Off+"]", "`", ""))
		name = ""
	}
	return b.String()
}

func credentialNote(madeUp bool, mode session.Mode) string {
	switch {
	case mode == session.ModeDev:
		return "  (any other app id works too, with any token)"
	case madeUp:
		return "  (new in every run; --app ID:SECRET sets them)"
	}
	return ""
}

func accountNote(madeUp bool, mode session.Mode) string {
	switch {
	case mode == session.ModeDev:
		return "  (any other account works too)"
	case madeUp:
		return "  (new in every run; --account ID:TOKEN sets them)"
	}
	return ""
}

func turnNote(madeUp bool, mode session.Mode) string {
	switch {
	case mode == session.ModeDev:
		return "  (any other TURN key works too)"
	case madeUp:
		return "  (new in every run; --turn-key ID:TOKEN sets them)"
	}
	return ""
}

// caText says what a client has to trust.
func caText(e *emulator.Emulator, cfg emulator.Config) string {
	switch {
	case e.CA() == nil:
		return "with the certificate " + cfg.TLSCert
	case e.CAFile() != "":
		return "CA " + e.CAFile() + "; callsemu env tells how to trust it"
	case cfg.HideEmu:
		return "CA new in every run; --state-dir DIR keeps it"
	}
	return "CA new in every run, at " + strings.TrimSuffix(e.BaseURL(), "/v1") + "/_emu/ca.pem; --state-dir DIR keeps it"
}

func mediaText(e *emulator.Emulator) string {
	var list []string
	for _, c := range e.Candidates() {
		protocol := "udp"
		if c.TCP {
			protocol = "tcp"
		}
		list = append(list, protocol+" "+c.Addr.String())
	}
	return strings.Join(list, ", ")
}
