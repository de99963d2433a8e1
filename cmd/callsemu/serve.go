package main

import (
	"context"
	"io"

	"github.com/callsemu/callsemu/emulator"
)

// streams are the process's outputs: the start message, in JSON too, and answers go to stdout, the log to stderr.
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
	message{e, cfg}.write(out.stdout, s.LogFormat == "json")
	<-ctx.Done()
	if err := e.Close(); err != nil {
		return err
	}
	cfg.Logger.Info("callsemu has ended", "cause", context.Cause(ctx))
	return nil
}
