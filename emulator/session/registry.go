package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// Config is what a Registry is made of. SFU is required; everything else works as its zero value.
type Config struct {
	Accounts *account.Store // the apps whose secret is checked in every mode; nil for none
	Mode     Mode
	Contract Contract    // the day whose service is emulated; zero is the newest
	Rules    Rules       // zero fields have their defaults
	Clock    clock.Clock // Real if nil
	SFU      *sfu.SFU    // the Registry does not close it
	Faults   Faults      // nil for none
	Adapters Adapters    // required where adapters are made
	Logger   *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Rules.AdapterRetry == 0 && !c.Contract.InForce(changeAdapterRetry) {
		c.Rules.AdapterRetry = betaAdapterRetry
	}
	c.Rules = c.Rules.WithDefaults()
	if c.Accounts == nil {
		c.Accounts = account.New(account.Config{})
	}
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
	mode     Mode
	contract Contract
	accounts *account.Store
	clock    clock.Clock
	engine   engine
	faults   Faults
	adapters Adapters
	log      *slog.Logger
	stop     chan struct{}        // closed by Close
	nudged   chan struct{}        // one slot: the sweeper is to look at the deadlines again
	settling chan chan<- struct{} // the sweeper is to look now, and to close that

	rules  atomic.Pointer[Rules]
	joined sync.WaitGroup // sweeper and watches

	mu      sync.Mutex
	closed  bool
	apps    map[string]*App
	endings endings

	adaptersMade int
}

// NewRegistry makes a Registry and starts its sweeper; Close ends it.
func NewRegistry(cfg Config) *Registry {
	return newRegistry(cfg, sfuEngine{cfg.SFU})
}

func newRegistry(cfg Config, e engine) *Registry {
	cfg = cfg.withDefaults()
	r := &Registry{
		mode:     cfg.Mode,
		contract: cfg.Contract,
		accounts: cfg.Accounts,
		clock:    cfg.Clock,
		engine:   e,
		faults:   cfg.Faults,
		adapters: cfg.Adapters,
		log:      cfg.Logger,
		stop:     make(chan struct{}),
		nudged:   make(chan struct{}, 1),
		settling: make(chan chan<- struct{}),
		apps:     map[string]*App{},
	}
	r.rules.Store(&cfg.Rules)
	for _, id := range cfg.Accounts.IDs(account.App) {
		r.apps[id] = newApp(id, true, r.clock.Now())
	}
	r.start(r.sweeper)
	return r
}

// Close closes every adapter, and every session with its transport, lets waiting requests go with 410 and joins the Registry's goroutines.
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
	r.endAdapters(nil, Adapter.Shutdown)
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

// Rules are the values in force.
func (r *Registry) Rules() Rules { return *r.rules.Load() }

// SetRule changes a value at run time. It holds for all that begins or is looked at from now on; a wait in progress keeps
// its deadline. The errors are those of Rules.Set.
func (r *Registry) SetRule(name, value string) error {
	for {
		old := r.rules.Load()
		changed := *old
		if err := changed.Set(name, value); err != nil {
			return err
		}
		if r.rules.CompareAndSwap(old, &changed) {
			r.nudge()
			return nil
		}
	}
}

// SetRules changes all values at once, as SetRule does one. Zero fields get their defaults.
func (r *Registry) SetRules(rules Rules) {
	full := rules.WithDefaults()
	r.rules.Store(&full)
	r.nudge()
}

// FixEstimate sets the bandwidth towards a session's endpoint, in bits a second; 0 ends that. It holds for the session's
// life, also from before its first exchange. An unknown session is ErrNoSession.
func (r *Registry) FixEstimate(sessionID string, bitrate uint64) error {
	for _, s := range r.allSessions() {
		if s.id == sessionID {
			s.fixEstimate(bitrate)
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrNoSession, sessionID)
}

// Estimates are the bandwidths that are fixed, by session.
func (r *Registry) Estimates() map[string]uint64 {
	fixed := map[string]uint64{}
	for _, s := range r.allSessions() {
		s.mu.Lock()
		if s.estimate != 0 {
			fixed[s.id] = s.estimate
		}
		s.mu.Unlock()
	}
	return fixed
}

// ErrNoSession is what calls of the control zone get that name a session which is not there.
var ErrNoSession = errors.New("no such session")

// Option says what kind of session NewSession makes.
type Option func(*Session)

// ThirdParty is sessions/new?thirdparty=true: the endpoint may be ICE-lite, so the SFU runs full ICE (contract 1.1).
func ThirdParty() Option { return func(s *Session) { s.thirdParty = true } }

// NewSession makes a session; an offer in the request is answered and is then the session's first exchange
// (contract 1.1). in is nil where the request had no body. Nothing is left behind by a request that fails.
func (r *Registry) NewSession(ctx context.Context, app *App, in *wire.NewSessionRequest, options ...Option) (*wire.NewSessionResponse, error) {
	s := newSession(r, app)
	for _, option := range options {
		option(s)
	}
	var offer description
	if in != nil && in.SessionDescription != nil {
		var err error
		if offer, err = r.engine.Parse(in.SessionDescription.SDP); err != nil {
			return nil, translate(err, "sessions/new", s.id)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := r.fault(Call{Operation: OpNewSession, App: app.id, Session: s.id})
	if err := f.happen(ctx, s, false); err != nil {
		return nil, err
	}
	if err := r.add(s); err != nil {
		return nil, err
	}
	if err := r.refuseIfDeleted(app); err != nil {
		return nil, err
	}
	r.nudge()
	out := &wire.NewSessionResponse{SessionID: s.id}
	if offer != nil {
		answer, err := s.answer("sessions/new", offer, answerPlan{})
		if err != nil {
			r.drop(s, "its first offer was refused")
			return nil, err
		}
		out.SessionDescription = &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp}
	}
	if err := f.happen(ctx, s, true); err != nil {
		return nil, err
	}
	return out, nil
}

// AddTracks pushes or pulls tracks (contract 1.3).
func (r *Registry) AddTracks(ctx context.Context, app *App, sessionID string, in *wire.TracksRequest) (*wire.TracksResponse, error) {
	if err := r.refuseTooMany(len(in.Tracks)); err != nil {
		return nil, err
	}
	op := (*Session).push
	if len(in.Tracks) > 0 && in.Tracks[0].Remote() {
		op = (*Session).pull
	}
	return inTurn(ctx, r, app, Call{Operation: OpNewTracks, Session: sessionID, Items: len(in.Tracks)}, in, op)
}

// UpdateTracks changes source or layer of tracks that the session receives, without SDP (contract 1.5).
func (r *Registry) UpdateTracks(ctx context.Context, app *App, sessionID string, in *wire.UpdateTracksRequest) (*wire.UpdateTracksResponse, error) {
	if err := r.refuseTooMany(len(in.Tracks)); err != nil {
		return nil, err
	}
	return inTurn(ctx, r, app, Call{Operation: OpUpdateTracks, Session: sessionID, Items: len(in.Tracks)}, in, (*Session).update)
}

func (r *Registry) refuseTooMany(tracks int) error {
	if most := r.Rules().MaxTracks; tracks > most {
		return wire.Refuse(wire.TooManyTracks, "%d tracks in one request; split it into requests of at most %d", tracks, most).Fill(most)
	}
	return nil
}

// Renegotiate takes the client's answer to the SFU's pending offer, or, while there is none, an offer that changes the
// transport (contract 1.4). It does not wait for the transport.
func (r *Registry) Renegotiate(ctx context.Context, app *App, sessionID string, in *wire.RenegotiateRequest) (*wire.RenegotiateResponse, error) {
	return inTurn(ctx, r, app, Call{Operation: OpRenegotiate, Session: sessionID}, in, (*Session).renegotiate)
}

// CloseTracks closes tracks by mid, forced or by an offer (contract 1.6).
func (r *Registry) CloseTracks(ctx context.Context, app *App, sessionID string, in *wire.CloseTracksRequest) (*wire.CloseTracksResponse, error) {
	op := (*Session).closeNegotiated
	if in.Force {
		op = (*Session).closeForced
	}
	return inTurn(ctx, r, app, Call{Operation: OpCloseTracks, Session: sessionID, Items: len(in.Tracks)}, in, op)
}

// EstablishData gives a session its transport for data channels (contract 1.9).
func (r *Registry) EstablishData(ctx context.Context, app *App, sessionID string, in *wire.EstablishRequest) (*wire.EstablishResponse, error) {
	return inTurn(ctx, r, app, Call{Operation: OpEstablishData, Session: sessionID}, in, (*Session).establish)
}

// NewChannels publishes data channels or subscribes to them (contract 1.10).
func (r *Registry) NewChannels(ctx context.Context, app *App, sessionID string, in *wire.NewChannelsRequest) (*wire.ChannelsResponse, error) {
	return inTurn(ctx, r, app, Call{Operation: OpNewChannels, Session: sessionID, Items: len(in.DataChannels)}, in, (*Session).newChannels)
}

// UpdateChannels says which subscriber may reply (contract 1.11).
func (r *Registry) UpdateChannels(ctx context.Context, app *App, sessionID string, in *wire.UpdateChannelsRequest) (*wire.ChannelsResponse, error) {
	return inTurn(ctx, r, app, Call{Operation: OpUpdateChannels, Session: sessionID, Items: len(in.DataChannels)}, in, (*Session).updateChannels)
}

// CloseChannels closes data channels by id (contract 1.12).
func (r *Registry) CloseChannels(ctx context.Context, app *App, sessionID string, in *wire.CloseChannelsRequest) (*wire.ChannelsResponse, error) {
	return inTurn(ctx, r, app, Call{Operation: OpCloseChannels, Session: sessionID, Items: len(in.DataChannels)}, in, (*Session).closeChannels)
}

// SessionState lists a session's tracks. It does not wait for requests in progress (contract 1.7).
func (r *Registry) SessionState(ctx context.Context, app *App, sessionID string) (*wire.SessionState, error) {
	s := r.session(app, sessionID)
	if s == nil {
		return nil, r.refuseUnknown(app, sessionID)
	}
	if err := s.withinRate(); err != nil {
		return nil, err
	}
	f := r.fault(Call{Operation: OpGetSession, App: app.id, Session: sessionID})
	if err := f.happen(ctx, s, false); err != nil {
		return nil, err
	}
	state, err := s.state()
	if err != nil {
		return nil, err
	}
	return state, f.happen(ctx, s, true)
}

// inTurn runs one mutation of a session after those that came before it, with what goes wrong on purpose.
func inTurn[In, Out any](ctx context.Context, r *Registry, app *App, call Call, in In,
	op func(*Session, context.Context, In, Fault) (Out, error)) (Out, error) {
	var none Out
	call.App = app.id
	s := r.session(app, call.Session)
	if s == nil {
		return none, r.refuseUnknown(app, call.Session)
	}
	if err := s.withinRate(); err != nil {
		return none, err
	}
	if err := s.takeTurn(ctx, call.Operation); err != nil {
		return none, err
	}
	defer s.giveTurn()
	f := r.fault(call)
	if err := f.happen(ctx, s, false); err != nil {
		return none, err
	}
	out, err := op(s, ctx, in, f)
	if err != nil {
		return none, err
	}
	if err := f.happen(ctx, s, true); err != nil {
		return none, err
	}
	f.spoil(out)
	return out, nil
}
