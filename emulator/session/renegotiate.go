package session

import (
	"context"
	"errors"

	"github.com/callsemu/callsemu/emulator/wire"
)

// renegotiate takes the answer to the pending offer (contract 1.4). An answer that is refused leaves the offer pending
// as far as the Peer says so. Needs the turn.
func (s *Session) renegotiate(ctx context.Context, in *wire.RenegotiateRequest) (*wire.RenegotiateResponse, error) {
	if in.SessionDescription.Type == wire.TypeOffer {
		return nil, s.refuseOffer(ctx)
	}
	answer, bad := s.parse(opRenegotiate, in.SessionDescription)
	if err := s.admit(ctx, opRenegotiate, bad); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	err := s.negotiate(opRenegotiate.String(), func(p peer) error { return p.AcceptAnswer(answer) })
	if err != nil {
		return nil, err
	}
	return &wire.RenegotiateResponse{}, nil
}

// refuseOffer says why an offer is not taken here: an answer is awaited, or ICE restart is not built yet.
func (s *Session) refuseOffer(ctx context.Context) error {
	err := s.admit(ctx, opRenegotiate, nil)
	var refusal *wire.Error
	switch {
	case err == nil:
		return wire.Refuse(wire.AnswerExpected, "session %s: an offer was sent while the SFU's own offer is unanswered; "+
			"send the answer to it", s.id)
	case errors.As(err, &refusal) && refusal.Problem == wire.SDPNoOfferPending:
		return wire.Refuse(wire.NotEmulated, "session %s: renegotiate takes answers only in this version; "+
			"for an ICE restart create a new session", s.id).Fill("An offer in renegotiate")
	}
	return err
}
