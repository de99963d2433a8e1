package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// pace keeps all cases together under the limits of a service that others use, too. The nil pace lets everything go at once.
type pace struct {
	calls   *rate.Limiter // contract 6: 50 a second on each session, so 25 on all of them is safe whatever they are about
	account *rate.Limiter // Cloudflare's v4 API takes 1200 requests in five minutes
}

func newPace() *pace { return &pace{calls: rate.NewLimiter(25, 5), account: rate.NewLimiter(3, 3)} }

// wait returns when the request may go.
func (p *pace) wait(ctx context.Context, request *http.Request) error {
	switch {
	case p == nil:
		return nil
	case strings.Contains(request.URL.Path, "/client/v4/"):
		return p.account.Wait(ctx)
	}
	return p.calls.Wait(ctx)
}

// mostQueued is from when on the wait counts nevertheless: a case that polls may do nothing else.
const mostQueued = 5 * time.Minute

// queue waits for the pace, which counts neither against the deadline of the case nor in what a stopwatch shows.
func (t *T) queue(ctx context.Context, request *http.Request) error {
	if t.target.pace == nil {
		return nil
	}
	err := t.aside(ctx, func(ctx context.Context) error { return t.target.pace.wait(ctx, request) })
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("not sent, since its turn did not come: %w", err)
	}
	return nil
}

// The rests after a 429 (contract 9.3): as long as Retry-After says, where it says so and it is no longer than a case can wait, and how
// often.
const (
	rest      = 2 * time.Second
	mostRest  = time.Minute
	mostRests = 5
)

// tooFast says whether a service wants the request later, and rests until then.
func (t *T) tooFast(request *http.Request, a answered, try int) bool {
	if t.target.pace == nil || a.status != http.StatusTooManyRequests || try > mostRests || request.Body != nil && request.GetBody == nil {
		return false
	}
	wait := rest
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil {
		wait = max(wait, time.Duration(seconds)*time.Second)
	}
	if wait > mostRest {
		return false
	}
	return t.aside(request.Context(), func(ctx context.Context) error {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return context.Cause(ctx)
	}) == nil
}

// aside waits for what counts against no deadline.
func (t *T) aside(ctx context.Context, wait func(context.Context) error) error {
	begun := time.Now()
	resume := func() {}
	if t.queued < mostQueued {
		resume = t.allowed.pause()
	}
	err := wait(ctx)
	resume()
	t.queued += time.Since(begun)
	return err
}

// stopwatch begins to measure, without what is spent in the queue.
func (t *T) stopwatch() (shows func() time.Duration) {
	begun, queued := time.Now(), t.queued
	return func() time.Duration { return time.Since(begun) - (t.queued - queued) }
}

// whenNextGoes has f called when the next request has had its turn, right before it is sent.
func (t *T) whenNextGoes(f func()) { t.goes = f }

// allowance is the time that a case has, which can be paused. The nil allowance is endless.
type allowance struct {
	timer *time.Timer
	ends  time.Time
}

// allow gives a context that ends after d, pauses left out.
func allow(ctx context.Context, d time.Duration) (context.Context, *allowance, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(errors.New("deadline of the case")) })
	return ctx, &allowance{timer: timer, ends: time.Now().Add(d)}, func() { timer.Stop(); cancel(nil) }
}

// pause stops the time until resume is called.
func (a *allowance) pause() (resume func()) {
	if a == nil || !a.timer.Stop() {
		return func() {} // it is over
	}
	left := time.Until(a.ends)
	return func() {
		a.ends = time.Now().Add(left)
		a.timer.Reset(left)
	}
}
