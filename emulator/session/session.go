package session

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// Session is one session of the API: at most one Peer, and the tracks pushed and pulled on it.
type Session struct {
	// fixed after construction
	id      string // 32 lower-case hex digits (contract 0.3)
	app     *App
	reg     *Registry
	created time.Time

	turn chan struct{} // one slot; holds the request in progress, others wait in order of arrival
	gone chan struct{} // closed when the session is dropped

	mu        sync.Mutex
	dropped   bool
	peer      peer // nil before the first exchange
	connected bool // at present
	everUp    bool
	lostSince time.Time // zero while connected and before the first connection
	tracks    []*track
}

// track is one entry of GET. It stays listed after its end (contract 1.6).
type track struct {
	// fixed after construction
	remote    bool
	mid       string
	name      string
	publisher string      // session id of the publisher, remote only
	source    publication // own for local, the publisher's for remote

	life life // guarded by Session.mu

	// owned by the sweeper, local only
	packets uint64
	heard   time.Time // when packets last grew
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
}

func newSession(r *Registry, app *App) *Session {
	id := uuid.New()
	return &Session{
		id:      hex.EncodeToString(id[:]),
		app:     app,
		reg:     r,
		created: r.clock.Now(),
		turn:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
	}
}

// takeTurn waits for the requests before this one. A channel serves its senders in the order in which they came.
func (s *Session) takeTurn(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.gone:
		return refuseUnknown(s.id, s.app.id)
	}
}

func (s *Session) giveTurn() { <-s.turn }

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
			timer = s.reg.clock.NewTimer(s.reg.rules.TransportWait)
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
	p, err := s.reg.engine.NewPeer()
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
	return true
}

// record adds tracks that an exchange made, and publishes the local ones.
func (s *Session) record(tracks []*track) {
	now := s.reg.clock.Now()
	for _, t := range tracks {
		t.packets, t.heard = t.source.Packets(), now
	}
	s.mu.Lock()
	s.tracks = append(s.tracks, tracks...)
	s.mu.Unlock()
	for _, t := range tracks {
		if !t.remote {
			s.reg.publish(s, t.name, t.source)
		}
	}
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
		list = append(list, listed{t, t.life})
	}
	return list
}

// ended reports whether the media behind a track is over for good.
func (t *track) ended() bool {
	select {
	case <-t.source.Done():
		return true
	default:
		return false
	}
}

// state answers GET.
func (s *Session) state() (*wire.SessionState, error) {
	if t, sig, _ := s.situation(); decide(opRead, t, sig).act != actGo {
		return nil, refuse(decide(opRead, t, sig).problem, opRead, s.id, t, sig)
	}
	list := s.list()
	state := &wire.SessionState{Tracks: make([]wire.TrackState, 0, len(list)), DataChannels: []wire.DataChannelState{}}
	for _, t := range list {
		entry := wire.TrackState{Location: wire.LocationLocal, Mid: t.mid, TrackName: t.name, Status: wire.StatusInactive}
		if t.remote {
			entry.Location, entry.SessionID = wire.LocationRemote, t.publisher
		}
		if t.life == lifeOpen && !t.ended() {
			entry.Status = wire.StatusActive
		}
		state.Tracks = append(state.Tracks, entry)
	}
	return state, nil
}
