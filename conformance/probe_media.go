package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// mediaTime bounds ProbeMedia: contract 3.6 knows of first connects that take 1.8 s.
const mediaTime = 20 * time.Second

// ProbeMedia connects a peer to a target that Probe has seen, by the target's route, and closes it. An error says that media does not get
// through from here: cases that need it will fail then, each after the whole of its time, whatever the target does. An emulator is not asked.
func ProbeMedia(ctx context.Context, target Target) error { return probeMedia(ctx, target, mediaTime) }

func probeMedia(ctx context.Context, target Target, within time.Duration) error {
	if target.Emulator {
		return nil
	}
	target.Coverage = nil
	var blocked error
	result := Run(ctx, Case{ID: "probe/media", Within: within, Run: func(ctx context.Context, t *T) {
		c := t.client(ctx, sfutest.Config{})
		c.push(ctx, mic())
		blocked = c.Peer.WaitConnected(ctx)
	}}, target)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch {
	case blocked != nil:
		return fmt.Errorf("no media gets through to the target: %w; let UDP pass to the candidates in its SDP, or try another --route", blocked)
	case !result.Passed():
		return fmt.Errorf("the first session fails already: %s", result.Failures[0])
	}
	return nil
}
