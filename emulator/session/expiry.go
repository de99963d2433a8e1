package session

import (
	"time"

	"github.com/callsemu/callsemu/sfu"
)

// sweepEvery is how late an expiry may be noticed.
const sweepEvery = 500 * time.Millisecond

// sweeper ends what has expired, until Close.
func (r *Registry) sweeper() {
	for {
		timer := r.clock.NewTimer(sweepEvery)
		select {
		case <-timer.C():
			r.sweep(r.clock.Now())
		case <-r.stop:
			timer.Stop()
			return
		}
	}
}

func (r *Registry) sweep(now time.Time) {
	for _, s := range r.allSessions() {
		if reason := s.expired(now); reason != "" {
			r.drop(s, reason)
			continue
		}
		s.collectSilent(now)
	}
}

func (r *Registry) allSessions() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Session
	for _, app := range r.apps {
		for _, entry := range app.sessions {
			all = append(all, entry.session)
		}
	}
	return all
}

// drop ends a session: its id and names are gone at once, requests that wait on it are refused, its Peer is closed.
// Only the first call for a session does anything.
func (r *Registry) drop(s *Session, reason string) {
	r.mu.Lock()
	_, present := s.app.sessions[s.id]
	delete(s.app.sessions, s.id)
	r.mu.Unlock()
	if !present {
		return
	}
	s.mu.Lock()
	s.dropped = true
	close(s.gone)
	p := s.peer
	s.mu.Unlock()
	if p != nil {
		if err := p.Close(); err != nil {
			r.log.Warn("peer close", "session", s.id, "error", err)
		}
	}
	r.log.Info("session gone", "app", s.app.id, "session", s.id, "reason", reason)
}

// expired says why the session's time is over, or nothing (contract 2.3).
func (s *Session) expired(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	rules := s.reg.rules
	switch {
	case !s.everUp && now.Sub(s.created) >= rules.NeverConnected:
		return "never connected"
	case !s.lostSince.IsZero() && now.Sub(s.lostSince) >= rules.LostWindow:
		return "connectivity lost and not regained"
	}
	return ""
}

// collectSilent ends the published tracks that have had no packet for too long: inactive, and not found by new pulls
// (contract 2.3). The m-line stays as it is. Time without a connection counts as the session's silence, not the track's.
func (s *Session) collectSilent(now time.Time) {
	s.mu.Lock()
	connected := s.connected
	s.mu.Unlock()
	silent := map[*track]bool{}
	for _, t := range s.list() {
		if t.remote || t.life != lifeOpen {
			continue
		}
		if packets := t.source.Packets(); packets != t.packets || !connected {
			t.packets, t.heard = packets, now
		}
		if now.Sub(t.heard) >= s.reg.rules.SilentTrack {
			silent[t.track] = true
			s.reg.log.Info("track collected", "session", s.id, "track", t.name, "mid", t.mid, "silent", now.Sub(t.heard))
		}
	}
	if len(silent) > 0 {
		s.retire(lifeCollected, func(t *track) bool { return silent[t] })
	}
}

// watch notes what becomes of the Peer until it or the session ends. A Peer that ends by itself, such as by the
// endpoint's close_notify, ends the session at once.
func (s *Session) watch(p peer) {
	for {
		state, changed := p.State()
		s.noteTransport(state)
		if state == sfu.StateClosed {
			s.reg.drop(s, "the endpoint closed its connection")
			return
		}
		select {
		case <-changed:
		case <-p.Done():
			s.reg.drop(s, "the endpoint closed its connection")
			return
		case <-s.gone:
			return
		}
	}
}

// noteTransport starts and ends the window of a lost connection. A Peer that is negotiating again after it had been
// connected counts as lost.
func (s *Session) noteTransport(state sfu.State) {
	now := s.reg.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = state == sfu.StateConnected
	switch {
	case s.connected:
		s.everUp, s.lostSince = true, time.Time{}
	case s.everUp && s.lostSince.IsZero():
		s.lostSince = now
	}
}
