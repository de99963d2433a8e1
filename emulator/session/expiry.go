package session

import (
	"slices"
	"time"

	"github.com/callsemu/callsemu/sfu"
)

// What lives in real time outlives a jump of the clock. A sign of life is a packet of the track or of the endpoint, and also
// that the transport came up or that the track was made: what is to be sent then is on its way.
const (
	// freshFor: what gave a sign of life within this much real time is alive, however far the clock has jumped meanwhile.
	freshFor = time.Second
	// askInterval paces the checks by which an endpoint is asked whether it is there.
	askInterval = 250 * time.Millisecond
	// signPoll paces the look for signs of life.
	signPoll = 5 * time.Millisecond
	// idleSweep is when the sweeper looks again where nothing is due.
	idleSweep = 24 * time.Hour
)

// deadline is when a rule of the contract ends something.
type deadline struct {
	rule  string // its name in RuleTable
	mid   string // of the track, empty for the session
	due   time.Time
	track *track    // nil where it is not about one
	heard time.Time // the last sign of life, in real time; zero for none

	channel *channel // nil where it is not about one
}

// nudge makes the sweeper look at the deadlines again: there may be an earlier one. It never blocks.
func (r *Registry) nudge() {
	select {
	case r.nudged <- struct{}{}:
	default:
	}
}

// Settle returns when the sweeper knows every deadline that there was at the call, so that a clock which is advanced then meets them
// all, in their order; earlier only where the Registry is closed.
func (r *Registry) Settle() {
	done := make(chan struct{})
	select {
	case r.settling <- done:
		<-done
	case <-r.stop:
	}
}

// sweeper ends what has expired, until Close. It sleeps until the earliest deadline. What is heard meanwhile only moves
// deadlines away, and whatever makes a new one nudges.
func (r *Registry) sweeper() {
	timer := r.clock.NewTimer(idleSweep)
	for {
		var settled chan<- struct{}
		select {
		case <-timer.C():
		case <-r.nudged:
		case settled = <-r.settling:
		case <-r.stop:
			timer.Stop()
			return
		}
		next := r.clock.NewTimerAt(r.sweep(r.clock.Now())) // no duration: the clock may have been moved since Now
		timer.Stop()                                       // only now: a clock that is being advanced waits for it
		timer = next
		if settled != nil {
			close(settled)
		}
	}
}

// sweep ends what is due, and returns the earliest deadline that is left.
func (r *Registry) sweep(now time.Time) (next time.Time) {
	next = now.Add(idleSweep)
	r.awaitSigns(now)
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
	ruleAdapterRetry   = "adapter-retry" // kept by the adapter itself
)

var expiryReasons = map[string]string{
	ruleNeverConnected: "never connected",
	ruleLostWindow:     "connectivity lost and not regained",
}

// deadlines lists what the session and its tracks wait under.
func (s *Session) deadlines() []deadline {
	rules := s.reg.Rules()
	s.mu.Lock()
	p := s.peer
	list := slices.Clone(s.waits)
	s.mu.Unlock()
	var info sfu.PeerInfo
	if p != nil {
		info = p.Info()
	}
	if info.Connected.IsZero() {
		return append(list, deadline{rule: ruleNeverConnected, due: s.created.Add(rules.NeverConnected), heard: info.LastSeen})
	}
	up := s.reg.clock.At(info.Connected)
	list = append(list, deadline{rule: ruleLostWindow, due: s.heardAt(info.LastSeen, up).Add(rules.LostWindow), heard: info.LastSeen})
	list = append(list, s.ackDeadlines(rules.AckWait)...)
	if info.State != sfu.StateConnected {
		return list // the silence is the session's
	}
	for _, t := range s.list() {
		if t.remote || t.life != lifeOpen {
			continue
		}
		heard := latest(t.source.LastPacket(), info.Connected, t.made)
		due := s.heardAt(heard, latest(t.since, up)).Add(rules.SilentTrack)
		list = append(list, deadline{rule: ruleSilentTrack, mid: t.mid, due: due, heard: heard, track: t.track})
	}
	return list
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}

// heardAt is when on the clock the last sign of life came; sign is zero for none. It is not before since. What came within
// freshFor before a jump counts from the time after the jump.
func (s *Session) heardAt(sign, since time.Time) time.Time {
	if sign.IsZero() {
		return since
	}
	return latest(since, s.reg.clock.At(sign), s.reg.clock.At(sign.Add(freshFor)).Add(-freshFor))
}

// doubt is something that is over on the clock, but may be alive in real time.
type doubt struct {
	deadline
	session *Session
	until   time.Time // real time; then it is over indeed
	asked   time.Time // real time, where its endpoint is asked
}

// awaitSigns gives everything that is over on the clock the real time in which the living give a sign of life, and returns
// when each has given it or has had that time; the deadlines tell then which it was. There is nothing to wait for where real
// time has passed as well.
func (r *Registry) awaitSigns(now time.Time) {
	var doubts []*doubt
	sessions := r.allSessions()
	for _, s := range sessions {
		doubts = append(doubts, s.doubts(now)...)
	}
	if len(doubts) == 0 {
		return
	}
	for _, s := range sessions {
		s.askIfQuiet() // one jump may pass the deadlines of many: they share the time to answer
	}
	ticker := time.NewTicker(signPoll)
	defer ticker.Stop()
	for {
		doubts = slices.DeleteFunc(doubts, (*doubt).settled)
		if len(doubts) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-r.stop:
			return
		}
	}
}

// doubts lists what of the session is over on the clock, and may yet live.
func (s *Session) doubts(now time.Time) []*doubt {
	var list []*doubt
	rules, began := s.reg.Rules(), time.Now()
	for _, d := range s.deadlines() {
		quiet := began.Sub(d.heard)
		switch {
		case d.due.After(now):
		case d.rule == ruleNeverConnected && quiet < freshFor:
			// Its checks arrive: it is in the midst of DTLS, or has finished before our side knows.
			list = append(list, &doubt{deadline: d, session: s, until: began.Add(rules.Liveness)})
		case d.rule == ruleLostWindow && s.connected():
			// What has nothing to send is silent between two checks of its own: 2.5 s in libwebrtc, up to 6 s by RFC 7675
			// section 5.1. So it is asked.
			asked := s.ask()
			list = append(list, &doubt{deadline: d, session: s, until: asked.Add(rules.Liveness), asked: asked})
		case d.track != nil && quiet < min(sendingFor, rules.SilentTrack):
			// A disabled camera sends once a second, give or take.
			list = append(list, &doubt{deadline: d, session: s, until: d.heard.Add(sendingFor)})
		}
	}
	return list
}

// ask asks the endpoint to show itself, unless it has been asked since it was heard, and returns when it was.
func (s *Session) ask() time.Time {
	p := s.currentPeer()
	if !s.asked.After(p.LastSeen()) {
		s.asked = time.Now()
		p.Ask()
	}
	return s.asked
}

func (s *Session) askIfQuiet() {
	if s.connected() && time.Since(s.currentPeer().LastSeen()) >= freshFor {
		s.ask()
	}
}

// settled reports whether there is nothing more to wait for. An endpoint that has not answered is asked again.
func (d *doubt) settled() bool {
	now := time.Now()
	if closed(d.session.gone) || !now.Before(d.until) {
		return true
	}
	switch {
	case d.rule == ruleNeverConnected:
		return d.session.connected()
	case d.track != nil:
		return d.track.source.LastPacket().After(d.heard)
	}
	p := d.session.currentPeer()
	if p.LastSeen().After(d.heard) {
		return true
	}
	if now.Sub(d.asked) >= askInterval {
		d.asked = now
		p.Ask()
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
	now := r.clock.Now()
	r.mu.Lock()
	_, present := s.app.sessions[s.id]
	delete(s.app.sessions, s.id)
	if present {
		r.endings.add(s.id, ended{s.app.id, now, reason})
	}
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

// watch makes the sweeper look again whenever the Peer changes, until it or the session ends. That it is lost ends nothing:
// silence does, counted from the last packet. A Peer that ends by itself, such as by the endpoint's close_notify, ends the
// session at once.
func (s *Session) watch(p peer) {
	for {
		state, changed := p.State()
		if state == sfu.StateClosed {
			s.reg.drop(s, "the endpoint closed its connection")
			return
		}
		s.reg.nudge()
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
