package session

import (
	"context"
	"slices"

	"github.com/callsemu/callsemu/emulator/wire"
)

// closeForced stops tracks without SDP (contract 1.6). Needs the turn.
func (s *Session) closeForced(ctx context.Context, in *wire.CloseTracksRequest, f Fault) (*wire.CloseTracksResponse, error) {
	if err := s.admit(ctx, opCloseForced, nil); err != nil {
		return nil, err
	}
	plan := planClose(in.Tracks, s.openMids(), f.failures(len(in.Tracks)))
	if len(plan.open) > 0 {
		s.retireMids(plan.open)
		s.currentPeer().CloseMids(plan.open...)
	}
	return &wire.CloseTracksResponse{Failures: s.failures(plan.fail), Tracks: plan.results}, nil
}

// closeNegotiated stops tracks and answers the offer that the client made for it. The answer is there even if every
// item failed, since clients apply it without looking at the items. SDP that cannot be used is a failure of the request,
// but the tracks are closed by then (contract 1.6). Needs the turn.
func (s *Session) closeNegotiated(ctx context.Context, in *wire.CloseTracksRequest, f Fault) (*wire.CloseTracksResponse, error) {
	offer, bad := s.parse(opCloseNegotiated, in.SessionDescription)
	if err := s.admit(ctx, opCloseNegotiated, bad); err != nil {
		return nil, err
	}
	plan := planClose(in.Tracks, s.openMids(), f.failures(len(in.Tracks)))
	s.retireMids(plan.known)
	p := s.currentPeer()
	var answer answered
	if bad == nil {
		var err error
		answer, err = s.answer(opCloseNegotiated.String(), offer, answerPlan{Close: plan.known})
		bad = err
	}
	failures := s.failures(plan.fail)
	if bad != nil {
		p.CloseMids(plan.open...)
		return nil, bad
	}
	return &wire.CloseTracksResponse{
		Failures:           failures,
		Tracks:             plan.results,
		SessionDescription: &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp},
	}, nil
}

// openMids has an entry for every mid that ever had a track, true where one is open. A pulled track is open until it is
// closed here, whatever became of its publisher.
func (s *Session) openMids() map[string]bool {
	mids := map[string]bool{}
	for _, t := range s.list() {
		mids[t.mid] = mids[t.mid] || t.life == lifeOpen
	}
	return mids
}

func (s *Session) retireMids(mids []string) {
	s.retire(lifeClosed, func(t *track) bool { return slices.Contains(mids, t.mid) })
}
