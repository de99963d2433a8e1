package session

import (
	"context"
	"errors"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// sendingFor is the real time within which a publication that is sending has a packet. A muted microphone with DTX sends
// every 400 ms, a disabled camera once a second (contract 2.3).
const sendingFor = 2 * time.Second

// pull subscribes to tracks: on sections that the SFU offers, on those of the client's offer, or on transceivers that the
// session has (contract 1.3 B, C, D, G, H). Needs the turn.
func (s *Session) pull(ctx context.Context, in *wire.TracksRequest, f Fault) (*wire.TracksResponse, error) {
	op, offer, bad := pullOperation(in), description(nil), error(nil)
	if in.SessionDescription != nil {
		offer, bad = s.parse(op, in.SessionDescription)
	}
	if err := s.admit(ctx, op, bad); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	plan := planPull(in.Tracks, f.failures(len(in.Tracks)), pullView{
		find:   func(sessionID, trackName string) publication { return s.reg.find(s.app, sessionID, trackName) },
		absent: func(sessionID, trackName string) string { return s.reg.absent(s.app, sessionID, trackName) },
		own:    s.midOf,
	})
	if err := s.awaitMedia(ctx, plan); err != nil {
		return nil, err
	}
	s.settle(plan)
	if offer != nil {
		plan.place(offer, s.pulledMids())
	}
	sdp, err := s.subscribe(op, offer, plan)
	if err != nil {
		return nil, err
	}
	s.pullInto(plan)
	s.recordPulls(plan)
	return s.pullResponse(plan, sdp), nil
}

func pullOperation(in *wire.TracksRequest) operation {
	if in.SessionDescription != nil {
		return opPullWithOffer
	}
	for _, item := range in.Tracks {
		if _, byName := item.MidByName(); !byName {
			return opPull
		}
	}
	return opPullInto
}

// midOf finds the mid of a track that the session publishes, "" for none.
func (s *Session) midOf(name string) string {
	for _, t := range s.list() {
		if !t.remote && t.name == name && t.life == lifeOpen && !t.ended() {
			return t.mid
		}
	}
	return ""
}

// pulledMids are the mids that carry an open pull.
func (s *Session) pulledMids() map[string]bool {
	mids := map[string]bool{}
	for _, t := range s.list() {
		if t.remote && t.life == lifeOpen {
			mids[t.mid] = true
		}
	}
	return mids
}

// sending reports whether packets of a publication have come lately.
func sending(source publication) bool { return time.Since(source.LastPacket()) <= sendingFor }

// awaitMedia waits until every source sends or has ended, or the one deadline of them all is over (contract 3.6). It
// holds a session's turn for that long, which is what serialises the requests of a session.
func (s *Session) awaitMedia(ctx context.Context, plan pull) error {
	deadline := s.newWait(ruleMediaWait, s.reg.Rules().MediaWait)
	defer deadline.Stop()
	for i := range plan.items {
		if item := &plan.items[i]; item.source != nil && !item.absent {
			item.heard = item.source.Heard()
			item.sends = sending(item.source)
		}
	}
	for _, item := range plan.items {
		if item.source == nil || item.sends {
			continue
		}
		select {
		case <-item.heard: // never for an absent layer
		case <-item.source.Done():
		case <-deadline.C():
			return nil
		case <-s.gone:
			return s.reg.refuseUnknown(s.app, s.id)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settle fails the items whose source has ended, or has not sent when the wait began nor in it.
func (s *Session) settle(plan pull) {
	for i := range plan.items {
		item := &plan.items[i]
		if item.source == nil {
			continue
		}
		if closed(item.source.Done()) {
			item.fail = refuseNotFound(i, s.reg.absent(s.app, item.SessionID, item.TrackName))
			continue
		}
		if item.sends || closed(item.heard) {
			continue
		}
		silent := "yet"
		if last := item.source.LastPacket(); !last.IsZero() {
			silent = "for " + time.Since(last).Round(100*time.Millisecond).String()
		}
		item.fail = s.reg.contract.asOf(refuseEmpty(i, *item, s.reg.publisher(s.app, item.SessionID), silent))
	}
}

// closed looks at a channel of news; nil is never closed.
func closed(news <-chan struct{}) bool {
	select {
	case <-news:
		return true
	default:
		return false
	}
}

// subscribe runs the exchange that the plan needs, if any: an offer of the SFU, or the answer to the client's. There is no
// SDP where every item failed (contract 1.3 H).
func (s *Session) subscribe(op operation, offer description, plan pull) (*wire.SessionDescription, error) {
	pulls, at := plan.wanted()
	if offer != nil && anyGood(plan.failures()) {
		answer, err := s.answer(op.String(), offer, answerPlan{Pulls: pulls})
		if err != nil {
			return nil, err
		}
		plan.subscribed(answer.pulls, at)
		return &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp}, nil
	}
	if offer != nil || len(pulls) == 0 {
		return nil, nil
	}
	var made offered
	err := s.negotiate(op.String(), func(p peer) (err error) {
		made, err = p.Offer(offerPlan{Pulls: pulls})
		return err
	})
	if err != nil {
		return nil, err
	}
	plan.subscribed(made.pulls, at)
	return &wire.SessionDescription{Type: wire.TypeOffer, SDP: made.sdp}, nil
}

// subscribed spreads the SFU's subscriptions over the items at these indexes; failed items take no mid (contract 1.3).
func (p pull) subscribed(subs []subscription, at []int) {
	for n, i := range at {
		p.items[i].sub, p.items[i].mid = subs[n], subs[n].Mid()
	}
}

// pullInto points transceivers that the session has at the sources of the items that name one. What a transceiver sent
// before ends (contract 1.3 C).
func (s *Session) pullInto(plan pull) {
	for i := range plan.items {
		item := &plan.items[i]
		if item.fail != nil || item.into == "" {
			continue
		}
		sub, err := s.currentPeer().PullInto(item.into, item.source, item.want)
		switch {
		case errors.Is(err, sfu.ErrNoSection):
			item.fail = wire.Refuse(wire.Internal, "tracks[%d]: the transceiver of %q, mid %q, does not send to this session's "+
				"client; push its track with bidirectionalMediaStream", i, item.Mid, item.into).Under("TRK-12")
		case errors.Is(err, sfu.ErrKindMismatch):
			item.fail = wire.Refuse(wire.TrackKindDiffers, "tracks[%d]: %q is %s, the transceiver of %q is not; name one of its "+
				"kind", i, item.TrackName, item.source.Kind(), item.Mid)
		case errors.Is(err, sfu.ErrCodecMissing):
			item.fail = wire.Refuse(wire.TrackCodecDiffers, "tracks[%d]: %v; publish with a codec that both sides have", i, err)
		case err != nil:
			item.fail = wire.Refuse(wire.Internal, "tracks[%d]: %v; this is a fault of the emulator", i, err)
		default:
			item.sub, item.mid = sub, item.into
		}
	}
}

// recordPulls enters the good items.
func (s *Session) recordPulls(plan pull) {
	for _, item := range plan.items {
		if item.fail == nil {
			s.replace(&track{remote: true, mid: item.mid, name: item.TrackName, publisher: item.SessionID,
				source: item.source, sub: item.sub, simulcast: item.Simulcast})
		}
	}
}

func (p pull) failures() []*wire.Error {
	fail := make([]*wire.Error, len(p.items))
	for i, item := range p.items {
		fail[i] = item.fail
	}
	return fail
}

// pullResponse puts the outcome together, one result per item in the order of the request.
func (s *Session) pullResponse(plan pull, sdp *wire.SessionDescription) *wire.TracksResponse {
	results := make([]wire.TrackResult, len(plan.items))
	for i, item := range plan.items {
		results[i] = wire.TrackResult{SessionID: item.SessionID, TrackName: item.TrackName}
		if item.fail != nil {
			results[i] = results[i].Fail(item.fail)
			continue
		}
		results[i].Mid, results[i].Simulcast = item.mid, item.Simulcast
	}
	return s.tracksResponse(results, plan.failures(), sdp)
}
