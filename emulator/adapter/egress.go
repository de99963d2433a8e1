package adapter

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/callsemu/callsemu/sfu"
)

const (
	// stalledAfter is when an endpoint that takes nothing counts as lost.
	stalledAfter = 10 * time.Second
	// The pause between two attempts to make a socket anew doubles from the first to the last. It does not begin anew where
	// a socket lived no longer than that, so that an endpoint which accepts only to close is not asked without a pause.
	firstPause = 100 * time.Millisecond
	lastPause  = time.Second
)

// NewPCM makes the adapter that decodes a publication of Opus and sends it as PCM.
func NewPCM(cfg Config, pub *sfu.Publication) *Adapter {
	a := newAdapter(cfg, pub.Done())
	a.carry = func(s *socket) func() { return a.egress(s, pub.Tap(), newBacklog(audioBacklog), a.speak) }
	return a
}

// NewJPEG makes the adapter that sends a publication of video as pictures. The codec has to be one that Decodes.
func NewJPEG(cfg Config, pub *sfu.Publication) *Adapter {
	a := newAdapter(cfg, pub.Done())
	a.carry = func(s *socket) func() { return a.egress(s, pub.Tap(), newBacklog(videoBacklog), a.picture) }
	return a
}

// egress makes messages of what is tapped and sends them, over one socket after another.
func (a *Adapter) egress(s *socket, tap *sfu.Tap, out *backlog, produce func(*sfu.Tap, *backlog)) (due func()) {
	a.tap.Store(tap)
	defer tap.Close()
	var producer sync.WaitGroup
	producer.Go(func() { produce(tap, out) })
	defer producer.Wait()
	pause := firstPause
	for {
		begun := time.Now()
		err := a.converse(s, func() error { return a.send(s, out) })
		if err == nil {
			return nil
		}
		if time.Since(begun) > lastPause {
			pause = firstPause
		}
		if s, due = a.remake(err, &pause); s == nil {
			return due
		}
	}
}

var errStalled = errors.New("the endpoint takes nothing")

// send writes messages until the socket ends.
func (a *Adapter) send(s *socket, out *backlog) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() { cancel(whyEnded(s.drain(context.Background()))) })
	defer reader.Wait()
	defer func() {
		if a.life.Err() == nil { // else the endpoint is being told
			s.cut()
		}
	}()
	for {
		m, ok := out.take()
		if !ok {
			select {
			case <-out.ready:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if err := write(ctx, s, m.wire); err != nil {
			a.dropped.Add(1)
			return err
		}
		a.messages.Add(1)
		a.bytes.Add(uint64(m.payload))
	}
}

func write(ctx context.Context, s *socket, message []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stalledAfter, errStalled)
	defer cancel()
	err := s.send(ctx, message)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return whyEnded(err)
}

// remake dials again until that succeeds, the window is over or the adapter ends. Without a socket, due is what has to be
// called when the adapter's end is complete.
func (a *Adapter) remake(lost error, pause *time.Duration) (_ *socket, due func()) {
	window := a.cfg.Limits().Retry
	a.note(lost)
	a.cfg.Logger.Warn("adapter lost its socket", "why", lost, "retry_for", window.String())
	if window <= 0 {
		a.end(lost)
		return nil, nil
	}
	a.enter(StateRetrying, a.cfg.Clock.Now().Add(window))
	ctx, due := a.within(a.life, window, errWindow)
	for wait(ctx, *pause) {
		*pause = min(2**pause, lastPause)
		s, err := a.dial(ctx)
		if err == nil {
			due()
			a.remade.Add(1)
			a.enter(StateOpen, time.Time{})
			a.cfg.Logger.Info("adapter has a socket again")
			return s, nil
		}
		if ctx.Err() != nil {
			break
		}
		a.note(err)
	}
	a.end(context.Cause(ctx))
	return nil, due
}

// wait passes real time and reports whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// queue serialises a message and puts it into the backlog.
func (a *Adapter) queue(out *backlog, p Packet) {
	if out.put(message{wire: p.Append(make([]byte, 0, len(p.Payload)+20)), payload: len(p.Payload)}) {
		a.dropped.Add(1)
	}
}

// speak turns packets of Opus into messages until the adapter ends.
func (a *Adapter) speak(tap *sfu.Tap, out *backlog) {
	s := newSpeaker(&gopusCodec{})
	emit := func(p Packet) { a.queue(out, p) }
	late := time.NewTimer(reorderTime)
	defer late.Stop()
	for {
		select {
		case <-tap.Arrived():
		case <-late.C:
		case <-a.life.Done():
			return
		}
		before := s.dropped()
		for p, ok := tap.Next(); ok; p, ok = tap.Next() {
			if strings.EqualFold(p.Codec, "opus") {
				payload := append([]byte(nil), p.Payload...)
				s.hear(voice{seq: p.Seq, ts: p.Timestamp, fresh: p.Fresh, payload: payload, arrived: p.Arrived}, emit)
			}
		}
		s.speak(time.Now(), emit)
		a.dropped.Add(s.dropped() - before)
		if _, waiting := s.order.due(); waiting {
			late.Reset(reorderTime)
		}
	}
}
