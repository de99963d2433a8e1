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
func ProbeMedia(ctx context.Context, target Target) error {
	if target.Emulator {
		return nil
	}
	target.Coverage = nil
	connects := Case{ID: "probe/media", Within: mediaTime, Run: func(ctx context.Context, t *T) { t.publish(ctx, sfutest.Config{}, mic()) }}
	if result := Run(ctx, connects, target); !result.Passed() {
		return fmt.Errorf("no media gets through to the target: %s; let UDP pass to the candidates in its SDP, or try another route", result.Failures[0])
	}
	return nil
}
