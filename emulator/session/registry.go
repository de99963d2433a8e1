package session

import (
	"context"
	"log/slog"
	"sync"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// Config is what a Registry is made of. SFU is required; everything else works as its zero value.
type Config struct {
	Apps   map[string]string // seeded apps: id to secret, checked in every mode
	Mode   Mode
	Rules  Rules       // zero fields have their defaults
	Clock  clock.Clock // Real if nil
	SFU    *sfu.SFU    // the Registry does not close it
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Rules = c.Rules.WithDefaults()
	if c.Clock == nil {
		c.Clock = clock.Real()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Registry holds the apps and their sessions, and is the only look-up across sessions. Its methods take requests that
// have passed wire.Decode and Validate, and return *wire.Error, or the context's error when the client is gone. They
// may be called concurrently.
type Registry struct {
	// fixed after construction
	rules  Rules
	mode   Mode
	clock  clock.Clock
	engine engine
	log    *slog.Logger
	stop   chan struct{} // closed by Close

	joined sync.WaitGroup // sweeper and watches

	mu     sync.Mutex
	closed bool
	apps   map[string]*App
}

// NewRegistry makes a Registry and starts its sweeper; Close ends it.
func NewRegistry(cfg Config) *Registry {
	return newRegistry(cfg, sfuEngine{cfg.SFU})
}

func newRegistry(cfg Config, e engine) *Registry {
	cfg = cfg.withDefaults()
	r := &Registry{
		rules:  cfg.Rules,
		mode:   cfg.Mode,
		clock:  cfg.Clock,
		engine: e,
		log:    cfg.Logger,
		stop:   make(chan struct{}),
		apps:   make(map[string]*App, len(cfg.Apps)),
	}
	for id, secret := range cfg.Apps {
		r.apps[id] = newApp(id, secret, true, r.clock.Now())
	}
	r.start(r.sweeper)
	return r
}

// Close closes every session with its transport, lets waiting requests go with 410 and joins the Registry's goroutines.
// It is idempotent; a second call waits for the first.
func (r *Registry) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.stop)
	}
	var left []*Session
	for _, app := range r.apps {
		for _, entry := range app.sessions {
			left = append(left, entry.session)
		}
	}
	r.mu.Unlock()
	for _, s := range left {
		r.drop(s, "the emulator stops")
	}
	r.joined.Wait()
	return nil
}

// start runs a goroutine that Close joins; after Close it does nothing.
func (r *Registry) start(run func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.joined.Go(run)
	}
}

// NewSession makes a session; an offer in the request is answered and is then the session's first exchange
// (contract 1.1). in is nil where the request had no body. Nothing is left behind by a request that fails.
func (r *Registry) NewSession(ctx context.Context, app *App, in *wire.NewSessionRequest) (*wire.NewSessionResponse, error) {
	s := newSession(r, app)
	if in == nil || in.SessionDescription == nil {
		if err := r.add(s); err != nil {
			return nil, err
		}
		return &wire.NewSessionResponse{SessionID: s.id}, nil
	}
	offer, err := r.engine.Parse(in.SessionDescription.SDP)
	if err != nil {
		return nil, translate(err, "sessions/new", s.id)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.add(s); err != nil {
		return nil, err
	}
	var answer answered
	err = s.negotiate("sessions/new", func(p peer) (err error) {
		answer, err = p.Answer(offer, sfu.AnswerPlan{})
		return err
	})
	if err != nil {
		r.drop(s, "its first offer was refused")
		return nil, err
	}
	return &wire.NewSessionResponse{
		SessionID:          s.id,
		SessionDescription: &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp},
	}, nil
}

// AddTracks pushes or pulls tracks (contract 1.3).
func (r *Registry) AddTracks(ctx context.Context, app *App, sessionID string, in *wire.TracksRequest) (*wire.TracksResponse, error) {
	if len(in.Tracks) > r.rules.MaxTracks {
		return nil, wire.Refuse(wire.TooManyTracks, "%d tracks in one request; split it into requests of at most %d",
			len(in.Tracks), r.rules.MaxTracks).Fill(r.rules.MaxTracks)
	}
	if err := refuseUnbuilt(in); err != nil {
		return nil, err
	}
	op := (*Session).push
	if in.Tracks[0].Remote() {
		op = (*Session).pull
	}
	return inTurn(ctx, r, app, sessionID, in, op)
}

// Renegotiate takes the client's answer to the SFU's pending offer (contract 1.4). It does not wait for the transport.
func (r *Registry) Renegotiate(ctx context.Context, app *App, sessionID string, in *wire.RenegotiateRequest) (*wire.RenegotiateResponse, error) {
	return inTurn(ctx, r, app, sessionID, in, (*Session).renegotiate)
}

// CloseTracks closes tracks by mid, forced or by an offer (contract 1.6).
func (r *Registry) CloseTracks(ctx context.Context, app *App, sessionID string, in *wire.CloseTracksRequest) (*wire.CloseTracksResponse, error) {
	op := (*Session).closeNegotiated
	if in.Force {
		op = (*Session).closeForced
	}
	return inTurn(ctx, r, app, sessionID, in, op)
}

// SessionState lists a session's tracks. It does not wait for requests in progress (contract 1.7).
func (r *Registry) SessionState(_ context.Context, app *App, sessionID string) (*wire.SessionState, error) {
	s := r.session(app, sessionID)
	if s == nil {
		return nil, refuseUnknown(sessionID, app.id)
	}
	return s.state()
}

// inTurn runs one mutation of a session after those that came before it.
func inTurn[In, Out any](ctx context.Context, r *Registry, app *App, sessionID string, in In,
	op func(*Session, context.Context, In) (Out, error)) (Out, error) {
	var none Out
	s := r.session(app, sessionID)
	if s == nil {
		return none, refuseUnknown(sessionID, app.id)
	}
	if err := s.takeTurn(ctx); err != nil {
		return none, err
	}
	defer s.giveTurn()
	return op(s, ctx, in)
}
