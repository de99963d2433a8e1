package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace keeps all cases together under the limits of a service that others use, too. The nil pace lets everything go at once.
type pace struct {
	calls   *rate.Limiter // contract 6: 50 a second on each session, so 25 on all of them is safe whatever they are about
	account *rate.Limiter // Cloudflare's v4 API takes 1200 requests in five minutes

	ofCalls, ofAccount rest
}

func newPace() *pace { return &pace{calls: rate.NewLimiter(25, 5), account: rate.NewLimiter(3, 3)} }

// of is what holds for the request: the limit, the rest, and how long that may be at most, which is a window of the account's limit.
func (p *pace) of(request *http.Request) (*rate.Limiter, *rest, time.Duration) {
	if strings.Contains(request.URL.Path, "/client/v4/") {
		return p.account, &p.ofAccount, 5 * time.Minute
	}
	return p.calls, &p.ofCalls, time.Minute
}

// wait returns when the request may go.
func (p *pace) wait(ctx context.Context, request *http.Request) error {
	if p == nil {
		return nil
	}
	limit, rest, _ := p.of(request)
	for {
		if err := rest.wait(ctx); err != nil {
			return err
		}
		if err := limit.Wait(ctx); err != nil || rest.left() <= 0 { // another call's rest may have begun
			return err
		}
	}
}

// later has all requests like this one rest after a 429 (contract 9.3), as long as Retry-After says, and says whether that can be waited for.
func (p *pace) later(request *http.Request, after string) bool {
	d := leastRest
	if seconds, err := strconv.Atoi(after); err == nil {
		d = max(d, time.Duration(seconds)*time.Second)
	}
	_, rest, most := p.of(request)
	if d > most {
		return false
	}
	rest.extend(d)
	return true
}

// rest is the time in which nothing may go.
type rest struct {
	mu    sync.Mutex
	until time.Time
}

// extend has the rest last for d from now, if it does not last longer.
func (r *rest) extend(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := time.Now().Add(d); until.After(r.until) {
		r.until = until
	}
}

// left is how long the rest lasts; it is over at 0 and below.
func (r *rest) left() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Until(r.until)
}

// wait returns when the rest is over, or with why ctx is.
func (r *rest) wait(ctx context.Context) error {
	for left := r.left(); left > 0; left = r.left() {
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
	return nil
}

// mostQueued is from when on the wait counts nevertheless: a case that polls may do nothing else. It is twice the longest rest, after
// which a case goes on as before.
const mostQueued = 10 * time.Minute

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

// leastRest is how long a rest is at least, and mostTries how often one request is sent.
const (
	leastRest = 2 * time.Second
	mostTries = 6
)

// tooFast says whether a service wants the request later and gets it then. What is not sent again has the others rest nevertheless.
func (t *T) tooFast(request *http.Request, a answered, try int) bool {
	if t.target.pace == nil || a.status != http.StatusTooManyRequests {
		return false
	}
	again := request.Body == nil || request.GetBody != nil
	return t.target.pace.later(request, a.header.Get("Retry-After")) && again && try < mostTries
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
