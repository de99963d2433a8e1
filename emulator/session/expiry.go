package session

import (
	"slices"
	"time"

	"github.com/callsemu/callsemu/sfu"
)

const (
	// freshFor: what was heard within this much real time is alive, however far the clock has jumped meanwhile.
	freshFor = time.Second
	// livenessPoll paces the look for a quiet endpoint's packets.
	livenessPoll = 50 * time.Millisecond
	// idleSweep is when the sweeper looks again where nothing is due.
	idleSweep = 24 * time.Hour
)

// deadline is when a rule of the contract ends something.
type deadline struct {
	rule  string // its name in RuleTable
	mid   string // of the track, empty for the session
	due   time.Time
	track *track // nil where it is not about one

	channel *channel // nil where it is not about one
}

// nudge makes the sweeper look at the deadlines again: there may be an earlier one. It never blocks.
func (r *Registry) nudge() {
	select {
	case r.nudged <- struct{}{}:
	default:
	}
}

// sweeper ends what has expired, until Close. It sleeps until the earliest deadline. What is heard meanwhile only moves
// deadlines away, and whatever makes a new one nudges.
func (r *Registry) sweeper() {
	timer := r.clock.NewTimer(idleSweep)
	for {
		select {
		case <-timer.C():
		case <-r.nudged:
		case <-r.stop:
			timer.Stop()
			return
		}
		now := r.clock.Now()
		next := r.clock.NewTimer(min(r.sweep(now).Sub(now), idleSweep))
		timer.Stop() // only now: a clock that is being advanced waits for it
		timer = next
	}
}

// sweep ends what is due, and returns the earliest deadline that is left.
func (r *Registry) sweep(now time.Time) (next time.Time) {
	next = now.Add(idleSweep)
	for _, s := range r.allSessions() {
		due := r.sweepSession(s, now)
		if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next
}

// sweepSession returns the session's earliest deadline, zero for none or where it ended.
func (r *Registry) sweepSession(s *Session, now time.Time) (next time.Time) {
	silent := map[*track]bool{}
	for _, d := range s.deadlines() {
		if d.rule == ruleLostWindow && !d.due.After(now) && s.showsItself() {
			d.due = now.Add(r.Rules().LostWindow)
		}
		switch {
		case d.due.After(now):
			if next.IsZero() || d.due.Before(next) {
				next = d.due
			}
		case d.track != nil:
			silent[d.track] = true
			r.log.Info("track collected", "session", s.id, "track", d.track.name, "mid", d.mid, "rule", d.rule)
		case d.channel != nil:
			s.closeChannel(d.channel)
			r.log.Info("data channel closed: its subscriber has sent nothing, and waitForAck waits for its first message", "session", s.id,
				"channel", d.channel.name, "id", d.channel.id, "rule", d.rule)
		case d.rule == ruleTransportWait || d.rule == ruleMediaWait: // the request's own
		default:
			r.drop(s, expiryReasons[d.rule])
			return time.Time{}
		}
	}
	if len(silent) > 0 {
		s.retire(lifeCollected, func(t *track) bool { return silent[t] })
	}
	return next
}

// Names of rules in deadlines.
const (
	ruleTransportWait  = "transport-wait"
	ruleMediaWait      = "media-wait"
	ruleNeverConnected = "never-connected"
	ruleLostWindow     = "lost-window"
	ruleSilentTrack    = "silent-track"
	ruleAckWait        = "ack-wait"
)

var expiryReasons = map[string]string{
	ruleNeverConnected: "never connected",
	ruleLostWindow:     "connectivity lost and not regained",
}

// deadlines lists what the session and its tracks wait under. Whoever was heard within the last real second before a jump of
// the clock counts as heard after it, so that a jump ends only what is really silent, lost or unanswered.
func (s *Session) deadlines() []deadline {
	rules := s.reg.Rules()
	s.mu.Lock()
	p, upSince := s.peer, s.upSince
	list := slices.Clone(s.waits)
	s.mu.Unlock()
	if upSince.IsZero() {
		return append(list, deadline{rule: ruleNeverConnected, due: s.created.Add(rules.NeverConnected)})
	}
	list = append(list, deadline{rule: ruleLostWindow, due: s.heardAt(p.LastSeen(), upSince).Add(rules.LostWindow)})
	list = append(list, s.ackDeadlines(rules.AckWait)...)
	if !s.up.Load() {
		return list // the silence is the session's
	}
	for _, t := range s.list() {
		if t.remote || t.life != lifeOpen {
			continue
		}
		since := t.since
		if upSince.After(since) {
			since = upSince
		}
		heard := s.heardAt(t.source.LastPacket(), since)
		list = append(list, deadline{rule: ruleSilentTrack, mid: t.mid, due: heard.Add(rules.SilentTrack), track: t.track})
	}
	return list
}

// heardAt is when on the clock something was heard last; real is zero for never. It is not before since. What came within
// freshFor before a jump counts from the time after the jump.
func (s *Session) heardAt(real, since time.Time) time.Time {
	if real.IsZero() {
		return since
	}
	for _, at := range []time.Time{s.reg.clock.At(real), s.reg.clock.At(real.Add(freshFor)).Add(-freshFor)} {
		if at.After(since) {
			since = at
		}
	}
	return since
}

// showsItself decides about an endpoint whose time is over on the clock but not in real time. Between two connectivity
// checks an idle endpoint sends nothing for some seconds, so it is given that long to be heard.
func (s *Session) showsItself() bool {
	p, rules := s.currentPeer(), s.reg.Rules()
	before := p.LastSeen()
	if !s.up.Load() || time.Since(before) >= rules.LostWindow {
		return false
	}
	ticker := time.NewTicker(livenessPoll)
	defer ticker.Stop()
	for time.Since(before) < rules.Liveness {
		select {
		case <-ticker.C:
		case <-s.gone:
			return false
		case <-s.reg.stop:
			return false
		}
		if p.LastSeen().After(before) {
			return true
		}
	}
	return false
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
	s.up.Store(false)
	if p != nil {
		if err := p.Close(); err != nil {
			r.log.Warn("peer close", "session", s.id, "error", err)
		}
	}
	r.log.Info("session gone", "app", s.app.id, "session", s.id, "reason", reason)
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

// noteTransport takes over the Peer's state. That it is lost ends nothing: silence does, counted from the last packet.
func (s *Session) noteTransport(state sfu.State) {
	connected := state == sfu.StateConnected
	if s.up.Swap(connected) == connected {
		return
	}
	if connected {
		now := s.reg.clock.Now()
		s.mu.Lock()
		s.upSince = now
		s.mu.Unlock()
	}
	s.reg.nudge()
}
