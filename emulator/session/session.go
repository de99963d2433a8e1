package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// Session is one session of the API: at most one Peer, and the tracks and data channels on it.
type Session struct {
	// fixed after construction
	id      string // 32 lower-case hex digits (contract 0.3)
	app     *App
	reg     *Registry
	created time.Time
	limiter *rate.Limiter // real time; used outside dev mode

	thirdParty bool   // the SFU runs full ICE; fixed before the first use
	adapterID  string // of the adapter whose track it publishes, empty for none; fixed before the first use

	turn chan struct{} // one slot; holds the request in progress, others wait in order of arrival
	gone chan struct{} // closed when the session is dropped

	sections map[string]sfu.Media // owned by the turn: the client's latest offer, by mid

	asked time.Time // owned by the sweeper: when the endpoint was asked last, in real time

	mu       sync.Mutex
	dropped  bool
	peer     peer   // nil before the first exchange
	estimate uint64 // fixed from outside, 0 for none
	request  inProgress
	waits    []deadline // of the request in progress
	tracks   []*track
	channels []*channel
}

// inProgress is the request whose turn it is.
type inProgress struct {
	operation string // empty for none
	since     time.Time
}

// track is one entry of GET. It stays listed after its end (contract 1.6).
type track struct {
	// fixed after construction
	remote    bool
	mid       string
	name      string
	publisher string      // session id of the publisher, remote only
	source    publication // own for local, the publisher's for remote
	since     time.Time   // when it was made
	made      time.Time   // the same in real time

	sub subscription // remote only

	// guarded by Session.mu
	life      life
	simulcast *wire.Simulcast // remote only: the choice in force, as the client wrote it
}

type life int

const (
	lifeOpen      life = iota
	lifeCollected      // silent for too long; its publication can be pushed again under a name
	lifeClosed         // by tracks/close, or its mid was given another name
)

// listed is a track with what was known of its life when the list was made.
type listed struct {
	*track
	life life

	simulcast *wire.Simulcast
}

// status is what GET says of a track.
func (t listed) status() string {
	if t.life == lifeOpen && !t.ended() {
		return wire.StatusActive
	}
	return wire.StatusInactive
}

func newSession(r *Registry, app *App) *Session {
	return &Session{
		id:      newID(),
		app:     app,
		reg:     r,
		created: r.clock.Now(),
		limiter: rate.NewLimiter(rate.Limit(r.Rules().RateLimit), r.Rules().RateLimit),
		turn:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
	}
}

// withinRate refuses what is over the rate limit: it counts every request on the session, reads too (contract 6, 9.3).
func (s *Session) withinRate() error {
	if s.reg.mode == ModeDev {
		return nil
	}
	most := s.reg.Rules().RateLimit
	if s.limiter.Burst() != most {
		s.limiter.SetLimit(rate.Limit(most))
		s.limiter.SetBurst(most)
	}
	if s.limiter.Allow() {
		return nil
	}
	return wire.Refuse(wire.RateLimited, "session %s: more than %d requests within a second; wait a moment and batch tracks "+
		"into one request", s.id, most)
}

// takeTurn waits for the requests before this one. A channel serves its senders in the order in which they came. Strict
// mode refuses an overlap instead, which the client should not have made (contract 2.2).
func (s *Session) takeTurn(ctx context.Context, operation string) error {
	select {
	case <-s.gone:
		return s.reg.refuseUnknown(s.app, s.id)
	default:
	}
	select {
	case s.turn <- struct{}{}:
		s.begin(operation)
		return nil
	default:
	}
	overlap := s.overlap(operation)
	if s.reg.mode == ModeStrict {
		return overlap
	}
	s.reg.log.Warn("overlap", "session", s.id, "explain", overlap.Explain)
	select {
	case s.turn <- struct{}{}:
		s.begin(operation)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.gone:
		return s.reg.refuseUnknown(s.app, s.id)
	}
}

// overlap says which two requests meet.
func (s *Session) overlap(operation string) *wire.Error {
	s.mu.Lock()
	busy := s.request
	s.mu.Unlock()
	if busy.operation == "" {
		busy = inProgress{"another request", s.reg.clock.Now()} // it is beginning or ending at this moment
	}
	return wire.Refuse(wire.Overlap, "%s came while %s of %s ago is in progress on session %s; send the requests of one "+
		"session one after another", operation, busy.operation, s.reg.clock.Now().Sub(busy.since).Round(time.Millisecond), s.id)
}

func (s *Session) begin(operation string) {
	now := s.reg.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request = inProgress{operation, now}
}

func (s *Session) giveTurn() {
	s.mu.Lock()
	s.request, s.waits = inProgress{}, nil
	s.mu.Unlock()
	<-s.turn
}

// newWait makes the timer of a rule that the request in progress waits under.
func (s *Session) newWait(rule string, d time.Duration) clock.Timer {
	timer := s.reg.clock.NewTimer(d)
	due := s.reg.clock.Now().Add(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = append(s.waits, deadline{rule: rule, due: due})
	return timer
}

// situation is where the session stands in the state table; changed is closed when the transport moves on, and is nil
// before there is one.
func (s *Session) situation() (t transport, sig signalling, changed <-chan struct{}) {
	s.mu.Lock()
	p, dropped := s.peer, s.dropped
	s.mu.Unlock()
	if dropped {
		return transportGone, signallingStable, nil
	}
	if p == nil {
		return transportNew, signallingStable, nil
	}
	state, changed := p.State()
	if p.OfferPending() {
		sig = signallingOfferPending
	}
	return transportOf(state), sig, changed
}

// admit asks the state table whether op may run, and waits for the transport where the table says so. badSDP is what
// parsing the request's SDP gave: it stands in for a refusal for the order of offers and answers, but not for those of
// the transport (contract 1.0 steps 7 and 8); nil is returned where op may run, whatever badSDP is. Needs the turn.
func (s *Session) admit(ctx context.Context, op operation, badSDP error) error {
	var timer clock.Timer
	for {
		t, sig, changed := s.situation()
		c := decide(op, t, sig)
		switch {
		case c.act == actGo:
			return nil
		case c.act == actRefuse && badSDP != nil && c.problem != wire.SessionGone:
			return badSDP
		case c.act == actRefuse:
			return refuse(c.problem, op, s.id, t, sig)
		}
		if timer == nil {
			timer = s.newWait(ruleTransportWait, s.reg.Rules().TransportWait)
			defer timer.Stop()
		}
		select {
		case <-changed:
		case <-s.gone:
		case <-timer.C():
			return refuse(c.problem, op, s.id, t, sig)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// parse reads the SDP of a request for op.
func (s *Session) parse(op operation, d *wire.SessionDescription) (description, error) {
	parsed, err := s.reg.engine.Parse(d.SDP)
	if err != nil {
		return nil, translate(err, op.String(), s.id)
	}
	return parsed, nil
}

// negotiate runs one exchange on the session's Peer, and makes the Peer if it is the first exchange. A first exchange
// that fails leaves the session as it was; the real service's is unusable then, which is not copied (contract 1.0).
func (s *Session) negotiate(op string, exchange func(peer) error) error {
	if p := s.currentPeer(); p != nil {
		return translate(exchange(p), op, s.id)
	}
	newPeer := s.reg.engine.NewPeer
	if s.thirdParty {
		newPeer = s.reg.engine.NewFullPeer
	}
	p, err := newPeer(s.id)
	if err != nil {
		return translate(err, op, s.id)
	}
	if err := exchange(p); err != nil {
		return translate(errors.Join(err, p.Close()), op, s.id)
	}
	if !s.attach(p) {
		return translate(errors.Join(sfu.ErrClosed, p.Close()), op, s.id)
	}
	s.reg.start(func() { s.watch(p) })
	return nil
}

// answer runs one exchange that the client's offer begins, and remembers the offer's sections: tracks/new may name them
// later.
func (s *Session) answer(op string, offer description, plan answerPlan) (out answered, err error) {
	err = s.negotiate(op, func(p peer) (err error) {
		out, err = p.Answer(offer, plan)
		return err
	})
	if err == nil {
		s.sections = byMid(offer)
	}
	return out, err
}

func byMid(d description) map[string]sfu.Media {
	sections := map[string]sfu.Media{}
	for _, media := range d.Media() {
		sections[media.Mid] = media
	}
	return sections
}

// connected reports whether the transport is up at present. The Peer knows it first.
func (s *Session) connected() bool {
	p := s.currentPeer()
	if p == nil {
		return false
	}
	state, _ := p.State()
	return state == sfu.StateConnected
}

func (s *Session) currentPeer() peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer
}

// attach makes p the session's Peer, unless the session was dropped meanwhile.
func (s *Session) attach(p peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return false
	}
	s.peer = p
	if s.estimate != 0 {
		p.FixEstimate(s.estimate) // under mu, so that no newer value is overtaken; it stores a number
	}
	return true
}

// fixEstimate holds for the Peer that is there, and for the one to come.
func (s *Session) fixEstimate(bitrate uint64) {
	s.mu.Lock()
	s.estimate = bitrate
	p := s.peer
	s.mu.Unlock()
	if p != nil {
		p.FixEstimate(bitrate)
	}
}

// record adds tracks that an exchange made, and publishes the local ones.
func (s *Session) record(tracks []*track) {
	now, made := s.reg.clock.Now(), time.Now()
	s.mu.Lock()
	for _, t := range tracks {
		t.since, t.made = now, made
	}
	s.tracks = append(s.tracks, tracks...)
	s.mu.Unlock()
	for _, t := range tracks {
		if !t.remote {
			s.reg.publish(s, t.name, t.source)
		}
	}
	s.reg.nudge()
}

// replace puts a pulled track in the place of the one that its mid carried so far, if any.
func (s *Session) replace(t *track) {
	t.since = s.reg.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.tracks, func(old *track) bool { return old.remote && old.mid == t.mid && old.life == lifeOpen })
	if i < 0 {
		s.tracks = append(s.tracks, t)
		return
	}
	s.tracks[i] = t
}

// choose notes a pulled track's new choice of layers.
func (s *Session) choose(t *track, choice *wire.Simulcast) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.simulcast = choice
}

// retire ends tracks; a collected one can still be closed, but not the other way round. Open local ones are hidden from
// new pulls; the name of one that ended before may belong to another track by now.
func (s *Session) retire(end life, which func(*track) bool) {
	var retired []*track
	for _, t := range s.list() {
		if !which(t.track) {
			continue
		}
		retired = append(retired, t.track)
		if t.life == lifeOpen && !t.remote {
			s.reg.unpublish(s, t.name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range retired {
		t.life = max(t.life, end)
	}
}

// list is every track that the session ever had, oldest first.
func (s *Session) list() []listed {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]listed, 0, len(s.tracks))
	for _, t := range s.tracks {
		list = append(list, listed{t, t.life, t.simulcast})
	}
	return list
}

// ended reports whether the media behind a track is over for good.
func (t *track) ended() bool { return closed(t.source.Done()) }

// state answers GET.
func (s *Session) state() (*wire.SessionState, error) {
	if t, sig, _ := s.situation(); decide(opRead, t, sig).act != actGo {
		return nil, refuse(decide(opRead, t, sig).problem, opRead, s.id, t, sig)
	}
	list := s.list()
	state := &wire.SessionState{Tracks: make([]wire.TrackState, 0, len(list)), DataChannels: s.channelStates()}
	for _, t := range list {
		entry := wire.TrackState{Location: wire.LocationLocal, Mid: t.mid, TrackName: t.name, Status: t.status()}
		if t.remote {
			entry.Location, entry.SessionID = wire.LocationRemote, t.publisher
		}
		state.Tracks = append(state.Tracks, entry)
	}
	return state, nil
}
