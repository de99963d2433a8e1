package adapter

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/sfu"
)

// Limits are the rules that an adapter lives under.
type Limits struct {
	Handshake time.Duration // how long an endpoint may take to accept, on the clock
	Retry     time.Duration // how long a lost egress socket is made anew, on the clock; 0 for not at all
	Picture   time.Duration // between two pictures, in real time
	Buffer    time.Duration // of PCM that waits to be played; fixed when ingest begins
}

// Config is what an adapter is made of. Everything is required.
type Config struct {
	Endpoint string // ws:// or wss://
	Dialer   *Dialer
	Clock    clock.Clock
	Limits   func() Limits // asked whenever one of them begins to count
	Logger   *slog.Logger  // names the adapter in every line
}

// State is how far an adapter is.
type State string

// The states of an adapter, in their order; retrying leads back to open.
const (
	StateDialling State = "dialling"
	StateOpen     State = "open"
	StateRetrying State = "retrying" // egress only: the socket was lost and is made anew
	StateClosed   State = "closed"   // for good
)

// Info is a snapshot of an adapter.
type Info struct {
	Endpoint   string // masked
	State      State
	Since      time.Time // of the state, on the clock
	RetryUntil time.Time // in StateRetrying, on the clock
	Messages   uint64    // sent by egress, received by ingest
	Bytes      uint64    // of their payloads
	Dropped    uint64    // packets and messages that went because something was slow, late or damaged
	Reconnects uint64
	Buffered   time.Duration // ingest: PCM that waits to be played
	LastError  string        // empty for none so far
	Ended      string        // in StateClosed, why
}

// Why an adapter's life ended.
var (
	errByAPI    = errors.New("closed by the API")
	errStopping = errors.New("the emulator stops")
	errEnded    = errors.New("its track has ended")
	errWindow   = errors.New("the socket was lost and could not be made anew in time")
)

// Adapter carries one track to or from one endpoint. One of NewPCM, NewJPEG and NewIngest makes it, Open begins it, Close
// ends it; if it ends by itself, that closes Done.
type Adapter struct {
	// Fixed after construction.
	cfg   Config
	life  context.Context //nolint:containedctx // the adapter's own; Close ends it
	end   context.CancelCauseFunc
	carry func(s *socket) (due func())
	ended <-chan struct{} // the track's
	done  chan struct{}

	joined   sync.WaitGroup
	messages atomic.Uint64
	bytes    atomic.Uint64
	dropped  atomic.Uint64
	remade   atomic.Uint64
	tap      atomic.Pointer[sfu.Tap] // egress, once it is open
	pacer    atomic.Pointer[pacer]   // ingest, once it is open

	mu         sync.Mutex
	state      State
	since      time.Time
	retryUntil time.Time
	lastError  string
}

func newAdapter(cfg Config, ended <-chan struct{}) *Adapter {
	a := &Adapter{cfg: cfg, ended: ended, done: make(chan struct{}), state: StateDialling, since: cfg.Clock.Now()}
	a.life, a.end = context.WithCancelCause(context.Background())
	return a
}

// Open dials the endpoint and begins to carry. It is called once. It fails with ErrLocalhost, ErrForbidden, ErrHandshake,
// ErrTimeout, ErrClosed or the context's error, and the adapter has ended then.
func (a *Adapter) Open(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.life, func() { cancel(ErrClosed) })()
	s, err := a.dial(ctx)
	if err != nil {
		a.end(err)
		a.note(err)
		a.enter(StateClosed, time.Time{})
		close(a.done)
		return err
	}
	a.enter(StateOpen, time.Time{})
	a.joined.Go(func() { a.watchTrack() })
	a.joined.Go(func() { a.run(s) })
	return nil
}

// run is the goroutine of an open adapter. What was due on the clock counts as done when nothing of the adapter is left.
func (a *Adapter) run(s *socket) {
	due := a.carry(s)
	a.end(errEnded) // whatever it was, if nobody else has said
	a.enter(StateClosed, time.Time{})
	a.cfg.Logger.Info("adapter ended", "why", context.Cause(a.life), "messages", a.messages.Load(), "bytes", a.bytes.Load())
	close(a.done)
	if due != nil {
		due()
	}
}

func (a *Adapter) watchTrack() {
	select {
	case <-a.ended:
		a.end(errEnded)
	case <-a.life.Done():
	}
}

// Close ends the adapter with a close frame and returns when nothing of it is left. It may be called more than once, by
// anyone.
func (a *Adapter) Close() {
	a.end(errByAPI)
	<-a.done
	a.joined.Wait()
}

// Shutdown is Close for when the whole program ends.
func (a *Adapter) Shutdown() {
	a.end(errStopping)
	<-a.done
	a.joined.Wait()
}

// Done is closed when the adapter has ended.
func (a *Adapter) Done() <-chan struct{} { return a.done }

// Info is a snapshot.
func (a *Adapter) Info() Info {
	info := Info{
		Endpoint: Mask(a.cfg.Endpoint), Messages: a.messages.Load(), Bytes: a.bytes.Load(), Dropped: a.dropped.Load(),
		Reconnects: a.remade.Load(),
	}
	if t := a.tap.Load(); t != nil {
		info.Dropped += t.Dropped()
	}
	if p := a.pacer.Load(); p != nil {
		info.Buffered = time.Duration(p.buffered()) * time.Second / (sampleRate * sampleBytes)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	info.State, info.Since, info.RetryUntil, info.LastError = a.state, a.since, a.retryUntil, a.lastError
	if a.state == StateClosed {
		info.Ended = context.Cause(a.life).Error()
	}
	return info
}

func (a *Adapter) enter(s State, retryUntil time.Time) {
	now := a.cfg.Clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.since, a.retryUntil = s, now, retryUntil
}

// note remembers what went wrong last.
func (a *Adapter) note(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastError = err.Error()
}

// dial connects within the time of the rule.
func (a *Adapter) dial(ctx context.Context) (*socket, error) {
	ctx, due := a.within(ctx, a.cfg.Limits().Handshake, ErrTimeout)
	defer due()
	return a.cfg.Dialer.dial(ctx, a.cfg.Endpoint)
}

// within is ctx that ends when d has passed on the clock. due is called when all that is due then has been done, and in any
// case.
func (a *Adapter) within(ctx context.Context, d time.Duration, why error) (_ context.Context, due func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := a.cfg.Clock.NewTimer(d)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-timer.C():
			cancel(why)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watch.Wait()
		timer.Stop()
	}
}

// converse uses a socket until it ends, by itself or because the adapter does, which the endpoint is told. use returns when
// the socket has ended. What converse returns is why, nil where the adapter has ended.
func (a *Adapter) converse(s *socket, use func() error) error {
	told := make(chan struct{})
	untold := context.AfterFunc(a.life, func() {
		defer close(told)
		s.close(farewell(context.Cause(a.life)))
	})
	err := use()
	if untold() {
		s.cut()
		return err
	}
	<-told
	return nil
}

// farewell is what an endpoint is told (contract 5.4; codes inferred).
func farewell(why error) (websocket.StatusCode, string) {
	switch {
	case errors.Is(why, errStopping):
		return websocket.StatusGoingAway, "going away"
	case errors.Is(why, errEnded):
		return websocket.StatusNormalClosure, "track ended"
	}
	return websocket.StatusNormalClosure, "adapter closed"
}
