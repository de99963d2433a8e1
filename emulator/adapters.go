package emulator

import (
	"context"
	"errors"

	"github.com/callsemu/callsemu/emulator/adapter"
	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
)

// adapterMaker makes the adapters that the rules ask for. The rules know no socket, and the sockets no rule.
type adapterMaker struct {
	dialer *adapter.Dialer
	clock  clock.Clock
}

var _ session.Adapters = adapterMaker{}

func newAdapterMaker(cfg Config) adapterMaker {
	policy := adapter.PolicyReal
	if cfg.deviates("DEV-8") {
		policy = adapter.PolicyLocal
	}
	return adapterMaker{dialer: adapter.NewDialer(adapter.DialerConfig{Policy: policy}), clock: cfg.Clock}
}

// Pictures implements session.Adapters.
func (m adapterMaker) Pictures(codec string) error {
	err := adapter.Decodes(codec)
	switch {
	case errors.Is(err, adapter.ErrNoFFmpeg):
		return errors.New("that needs ffmpeg, which is not on the PATH; install it (apt-get install ffmpeg), or publish VP8, which needs nothing")
	case err != nil:
		return errors.New("no jpeg is made of that codec; publish VP8, VP9, H.264 or H.265")
	}
	return nil
}

// New implements session.Adapters.
func (m adapterMaker) New(p session.AdapterPlan) session.Adapter {
	cfg := adapter.Config{
		Endpoint: p.Endpoint, Dialer: m.dialer, Clock: m.clock, Logger: p.Logger,
		Limits: func() adapter.Limits { return adapter.Limits(p.Limits()) },
	}
	switch {
	case p.Source != nil:
		return sessionAdapter{adapter.NewIngest(cfg, p.Source)}
	case p.Output == wire.CodecJPEG:
		return sessionAdapter{adapter.NewJPEG(cfg, p.Publication)}
	}
	return sessionAdapter{adapter.NewPCM(cfg, p.Publication)}
}

// sessionAdapter is an adapter in the terms of the rules.
type sessionAdapter struct{ *adapter.Adapter }

// Open implements session.Adapter.
func (a sessionAdapter) Open(ctx context.Context) error {
	err := a.Adapter.Open(ctx)
	if err == nil || ctx.Err() != nil {
		return err //nolint:wrapcheck // the context's
	}
	failed := &session.AdapterError{Err: err}
	switch {
	case errors.Is(err, adapter.ErrLocalhost):
		failed.Problem = wire.AdapterLocalhost
		failed.Cure = "as with the real service; use --mode dev for endpoints on this machine"
	case errors.Is(err, adapter.ErrForbidden):
		failed.Problem = wire.AdapterHandshake
		failed.Cure = "private networks are allowed in --mode dev, the rest of these addresses never"
	case errors.Is(err, adapter.ErrTimeout):
		failed.Problem = wire.AdapterTimeout
		failed.Cure = "is the endpoint reachable from here, and does it accept the upgrade at once? --set adapter-handshake moves the limit"
	case errors.Is(err, adapter.ErrHandshake):
		failed.Problem = wire.AdapterHandshake
		failed.Cure = "start the endpoint first; it has to answer 101 to a plain WebSocket handshake, without redirect or subprotocol"
	default:
		failed.Problem = wire.Internal
		failed.Cure = "the adapter was ended while it dialled"
	}
	return failed
}

// Info implements session.Adapter.
func (a sessionAdapter) Info() session.AdapterInfo {
	info := a.Adapter.Info()
	return session.AdapterInfo{
		Endpoint: info.Endpoint, State: string(info.State), Since: info.Since, RetryUntil: info.RetryUntil,
		Messages: info.Messages, Bytes: info.Bytes, Dropped: info.Dropped, Reconnects: info.Reconnects,
		Buffered: info.Buffered, LastError: info.LastError, Ended: info.Ended,
	}
}
