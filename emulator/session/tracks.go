package session

import (
	"context"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// push publishes tracks of the client's offer (contract 1.3 A, G, H). Needs the turn.
func (s *Session) push(ctx context.Context, in *wire.TracksRequest) (*wire.TracksResponse, error) {
	offer, bad := s.parse(opPush, in.SessionDescription)
	if err := s.admit(ctx, opPush, bad); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	names, sources := s.published()
	reuse := map[string]bool{}
	for mid := range sources {
		reuse[mid] = true
	}
	plan := planPush(in.Tracks, offer.Media(), names, reuse)
	if !anyGood(plan.fail) {
		return s.tracksResponse(in.Tracks, nil, plan.fail, nil), nil
	}

	var answer answered
	err := s.negotiate(opPush.String(), func(p peer) (err error) {
		answer, err = p.Answer(offer, sfu.AnswerPlan{Publish: plan.publish})
		return err
	})
	if err != nil {
		return nil, err
	}
	for mid, pub := range answer.publications {
		sources[mid] = pub
	}
	s.recordPushes(in.Tracks, sources, plan.fail)
	mids := make([]string, len(in.Tracks))
	for i, item := range in.Tracks {
		mids[i] = item.Mid
	}
	return s.tracksResponse(in.Tracks, mids, plan.fail,
		&wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp}), nil
}

// published tells the names that are live on the session, and by mid the publications that are still open, also those
// whose name was collected.
func (s *Session) published() (names map[string]bool, byMid map[string]publication) {
	names, byMid = map[string]bool{}, map[string]publication{}
	for _, t := range s.list() {
		if t.remote || t.life == lifeClosed || t.ended() {
			continue
		}
		byMid[t.mid] = t.source
		if t.life == lifeOpen {
			names[t.name] = true
		}
	}
	return names, byMid
}

// recordPushes enters the good items and fails those whose section the SFU could not take. A mid that was published
// under another name gives that name up.
func (s *Session) recordPushes(items []wire.TrackObject, sources map[string]publication, fail []*wire.Error) {
	var added []*track
	for i, item := range items {
		if fail[i] != nil {
			continue
		}
		if sources[item.Mid] == nil {
			fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: the SFU cannot receive on mid %q; "+
				"offer one of the supported codecs", i, item.Mid)
			continue
		}
		s.retire(lifeClosed, func(t *track) bool { return !t.remote && t.mid == item.Mid })
		added = append(added, &track{mid: item.Mid, name: item.TrackName, source: sources[item.Mid]})
	}
	s.record(added)
}

// pull subscribes to tracks and offers them to the client (contract 1.3 B, G, H). Needs the turn.
func (s *Session) pull(ctx context.Context, in *wire.TracksRequest) (*wire.TracksResponse, error) {
	if err := s.admit(ctx, opPull, nil); err != nil {
		return nil, err
	}
	plan := planPull(in.Tracks, func(sessionID, trackName string) publication {
		return s.reg.find(s.app, sessionID, trackName)
	})
	if err := s.awaitMedia(ctx, plan.sources); err != nil {
		return nil, err
	}
	settle(in.Tracks, plan)
	if !anyGood(plan.fail) {
		return s.tracksResponse(in.Tracks, nil, plan.fail, nil), nil
	}

	var good []publication
	for i, source := range plan.sources {
		if plan.fail[i] == nil {
			good = append(good, source)
		}
	}
	var offer offered
	err := s.negotiate(opPull.String(), func(p peer) (err error) {
		offer, err = p.Offer(good)
		return err
	})
	if err != nil {
		return nil, err
	}
	mids := s.recordPulls(in.Tracks, plan, offer.mids)
	return s.tracksResponse(in.Tracks, mids, plan.fail,
		&wire.SessionDescription{Type: wire.TypeOffer, SDP: offer.sdp}), nil
}

// awaitMedia waits until every source has sent or ended, or the one deadline of them all is over (contract 3.6). It
// holds a session's turn for that long, which is what serialises the requests of a session.
func (s *Session) awaitMedia(ctx context.Context, sources []publication) error {
	deadline := s.reg.clock.NewTimer(s.reg.rules.MediaWait)
	defer deadline.Stop()
	for _, source := range sources {
		if source == nil {
			continue
		}
		select {
		case <-source.Ready():
		case <-source.Done():
		case <-deadline.C():
			return nil
		case <-s.gone:
			return refuseUnknown(s.id, s.app.id)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settle fails the items whose source ended or sent nothing.
func settle(items []wire.TrackObject, plan pull) {
	for i, source := range plan.sources {
		if source == nil {
			continue
		}
		select {
		case <-source.Done():
			plan.fail[i] = refuseNotFound(i, items[i])
			continue
		default:
		}
		select {
		case <-source.Ready():
		default:
			plan.fail[i] = refuseEmpty(i, items[i])
		}
	}
}

// recordPulls enters the good items and spreads the SFU's mids over them; failed items take none (contract 1.3).
func (s *Session) recordPulls(items []wire.TrackObject, plan pull, sfuMids []string) []string {
	mids := make([]string, len(items))
	var added []*track
	for i, item := range items {
		if plan.fail[i] != nil {
			continue
		}
		mids[i] = sfuMids[len(added)]
		added = append(added, &track{remote: true, mid: mids[i], name: item.TrackName,
			publisher: item.SessionID, source: plan.sources[i]})
	}
	s.record(added)
	return mids
}

// tracksResponse puts the outcome together, one result per item in the order of the request. sdp is nil when every item
// failed.
func (s *Session) tracksResponse(items []wire.TrackObject, mids []string, fail []*wire.Error, sdp *wire.SessionDescription) *wire.TracksResponse {
	out := &wire.TracksResponse{Tracks: make([]wire.TrackResult, len(items)), SessionDescription: sdp}
	for i, item := range items {
		result := wire.TrackResult{TrackName: item.TrackName}
		if item.Remote() {
			result.SessionID = item.SessionID
		}
		if fail[i] != nil {
			out.Tracks[i] = result.Fail(fail[i])
			continue
		}
		result.Mid = mids[i]
		if item.Remote() {
			result.Simulcast = item.Simulcast
		}
		out.Tracks[i] = result
	}
	out.RequiresImmediateRenegotiation = sdp != nil && sdp.Type == wire.TypeOffer
	s.logFailures(fail)
	return out
}

// logFailures writes what the response cannot carry: why items failed.
func (s *Session) logFailures(fail []*wire.Error) {
	for _, f := range fail {
		if f != nil {
			s.reg.log.Info("item failed", "session", s.id, "code", f.Code, "explain", f.Explain)
		}
	}
}

func anyGood(fail []*wire.Error) bool {
	for _, f := range fail {
		if f == nil {
			return true
		}
	}
	return false
}
