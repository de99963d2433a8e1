package conformance

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"
)

// pass lets that much of the service's time go by: at once where the clock can be advanced.
func (t *T) pass(ctx context.Context, d time.Duration) {
	if !slices.Contains(t.target.Has, MovableClock) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			t.Fatalf("waiting %s: %v", d, context.Cause(ctx))
		}
		return
	}
	t.control(ctx, http.MethodPost, "/_emu/clock", map[string]string{"advance": d.String()})
}

// passOfSilence is pass for what has fallen silent. Where the clock is advanced the silence must have lasted a while in real time, so
// that the service takes the advance for a part of it.
func (t *T) passOfSilence(ctx context.Context, d time.Duration) {
	if slices.Contains(t.target.Has, MovableClock) {
		over := time.Now().Add(4 * time.Second)
		t.eventually(ctx, "the silence", func() bool { return time.Now().After(over) })
	}
	t.pass(ctx, d)
}

// control calls the target's control zone, which must do as it is told.
func (t *T) control(ctx context.Context, method, path string, body any) {
	encoded := t.encode(body)
	request, err := http.NewRequestWithContext(ctx, method, t.target.BaseURL+path, bytes.NewReader(encoded))
	t.Must(err)
	request.Header.Set("Content-Type", "application/json")
	a, err := t.send(request, encoded)
	t.Must(err)
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: status %d: %s", method, path, a.status, short(a.raw))
	}
}

// passUntil lets time go by, step by step, until content. What is alive in real time outlives a step, so the first may come
// before the service has noticed that something ended.
func (t *T) passUntil(ctx context.Context, what string, step time.Duration, content func() bool) {
	content, end := t.polled(content)
	defer end()
	for range 12 {
		t.pass(ctx, step)
		if content() {
			return
		}
		if !slices.Contains(t.target.Has, MovableClock) {
			continue
		}
		timer := time.NewTimer(500 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			t.Fatalf("%s: %v", what, context.Cause(ctx))
		}
	}
	t.Fatalf("%s after twelve times %s", what, step)
}
