package session

import (
	"context"
	"errors"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// push publishes tracks: those of the client's offer, those of an earlier one, or on sections that the SFU offers
// (contract 1.3 A, E, F, G, H). Needs the turn.
func (s *Session) push(ctx context.Context, in *wire.TracksRequest, f Fault) (*wire.TracksResponse, error) {
	op, offer, bad := opPushWithoutOffer, description(nil), error(nil)
	if in.SessionDescription != nil {
		op = opPush
		offer, bad = s.parse(op, in.SessionDescription)
	}
	if err := s.admit(ctx, op, bad); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	view, sources := s.pushView(offer)
	plan := planPush(in, offer, view, f.failures(len(in.Tracks)))
	if len(plan.items) == 0 {
		return nil, wire.Refuse(wire.NoTracks, "session %s: autoDiscover found no new sending section in the offer; add a "+
			"transceiver before offering", s.id)
	}
	if !anyGood(plan.fail) {
		return s.pushResponse(plan, nil), nil
	}
	var sdp *wire.SessionDescription
	var err error
	if offer != nil {
		sdp, err = s.publishOffered(op, offer, plan, sources)
	} else {
		sdp, err = s.publishUnoffered(op, plan, sources)
	}
	if err != nil {
		return nil, err
	}
	s.recordPushes(plan, sources, f)
	return s.pushResponse(plan, sdp), nil
}

// pushView is what the plan looks at, and by item name or mid the publications that are still open, also those whose name
// was collected.
func (s *Session) pushView(offer description) (pushView, map[string]publication) {
	view := pushView{sections: s.sections, names: map[string]bool{}, reuse: map[string]bool{}, former: map[string]bool{}}
	if offer != nil {
		view.sections = byMid(offer)
	}
	sources := map[string]publication{}
	for _, t := range s.list() {
		if t.remote {
			continue
		}
		view.former[t.mid] = true
		if t.life == lifeClosed || t.ended() {
			continue
		}
		sources[t.mid], view.reuse[t.mid] = t.source, true
		if t.life == lifeOpen {
			view.names[t.name] = true
		}
	}
	return view, sources
}

// publishOffered answers the client's offer and adds to sources, by mid, what comes of it.
func (s *Session) publishOffered(op operation, offer description, plan push, sources map[string]publication) (*wire.SessionDescription, error) {
	answer, err := s.answer(op.String(), offer, answerPlan{Publish: plan.publish, Bidirectional: plan.bidirectional})
	if err != nil {
		return nil, err
	}
	for mid, pub := range answer.publications {
		sources[mid] = pub
	}
	return &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp}, nil
}

// publishUnoffered offers sections for the items that need one, and then publishes the sections of earlier exchanges that
// the others name. Items get the SFU's mids; there is no SDP where nothing had to be offered.
func (s *Session) publishUnoffered(op operation, plan push, sources map[string]publication) (*wire.SessionDescription, error) {
	var sdp *wire.SessionDescription
	if len(plan.offer) > 0 {
		var pushes []sfu.Push
		for _, i := range plan.offer {
			pushes = append(pushes, sfu.Push{Kind: sfu.Kind(plan.items[i].Kind), Bidirectional: plan.items[i].BidirectionalMediaStream})
		}
		var offer offered
		err := s.negotiate(op.String(), func(p peer) (err error) {
			offer, err = p.Offer(offerPlan{Pushes: pushes})
			return err
		})
		if err != nil {
			return nil, err
		}
		for n, i := range plan.offer {
			plan.items[i].Mid = offer.pushes[n].Mid()
			sources[plan.items[i].Mid] = offer.pushes[n]
		}
		sdp = &wire.SessionDescription{Type: wire.TypeOffer, SDP: offer.sdp}
	}
	for _, mid := range plan.publish {
		pub, err := s.currentPeer().Publish(mid)
		switch {
		case errors.Is(err, sfu.ErrNoSection): // an item error, in recordPushes
		case err != nil:
			return nil, translate(err, op.String(), s.id)
		default:
			sources[mid] = pub
		}
	}
	return sdp, nil
}

// recordPushes enters the good items and fails those whose section the SFU could not take. A mid that was published
// under another name gives that name up.
func (s *Session) recordPushes(plan push, sources map[string]publication, f Fault) {
	var added []*track
	for i, item := range plan.items {
		if plan.fail[i] != nil {
			continue
		}
		source := sources[item.Mid]
		if source == nil {
			plan.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: the SFU cannot receive on mid %q; "+
				"offer one of the supported codecs", i, item.Mid)
			continue
		}
		s.retire(lifeClosed, func(t *track) bool { return !t.remote && t.mid == item.Mid })
		for _, silence := range f.Silences {
			if silence.means(item.TrackName) {
				s.silence(source, silence)
			}
		}
		added = append(added, &track{mid: item.Mid, name: item.TrackName, source: source})
	}
	s.record(added)
}

// pushResponse puts the outcome together, one result per item. sdp is nil where there is nothing to apply.
func (s *Session) pushResponse(plan push, sdp *wire.SessionDescription) *wire.TracksResponse {
	results := make([]wire.TrackResult, len(plan.items))
	for i, item := range plan.items {
		results[i].TrackName = item.TrackName
		if plan.fail[i] != nil {
			results[i] = results[i].Fail(plan.fail[i])
			continue
		}
		results[i].Mid = item.Mid
		if kind, found := plan.found[item.Mid]; found {
			results[i].Location, results[i].Kind = wire.LocationLocal, string(kind)
		}
	}
	return s.tracksResponse(results, plan.fail, sdp)
}

// tracksResponse is the answer of tracks/new.
func (s *Session) tracksResponse(results []wire.TrackResult, fail []*wire.Error, sdp *wire.SessionDescription) *wire.TracksResponse {
	return &wire.TracksResponse{
		Failures:                       s.failures(fail),
		RequiresImmediateRenegotiation: sdp != nil && sdp.Type == wire.TypeOffer,
		Tracks:                         results,
		SessionDescription:             sdp,
	}
}

// failures gathers why items failed; the front logs it, with secrets hidden.
func (s *Session) failures(fail []*wire.Error) wire.Failures {
	var out wire.Failures
	for _, f := range fail {
		if f != nil {
			out.Failed = append(out.Failed, f)
		}
	}
	return out
}

func anyGood(fail []*wire.Error) bool {
	for _, f := range fail {
		if f == nil {
			return true
		}
	}
	return false
}
