package session

import (
	"context"

	"github.com/callsemu/callsemu/emulator/wire"
)

// renegotiate takes the answer to the pending offer, or an offer while there is none (contract 1.4). An answer that is
// refused leaves the offer pending as far as the Peer says so. Needs the turn.
func (s *Session) renegotiate(ctx context.Context, in *wire.RenegotiateRequest, _ Fault) (*wire.RenegotiateResponse, error) {
	op := opRenegotiate
	if in.SessionDescription.Type == wire.TypeOffer {
		op = opRenegotiateOffer
	}
	sdp, bad := s.parse(op, in.SessionDescription)
	if op == opRenegotiateOffer {
		bad = s.admitOffer(ctx, bad)
	} else if err := s.admit(ctx, op, bad); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	if op == opRenegotiateOffer {
		answer, err := s.answer(op.String(), sdp, answerPlan{})
		if err != nil {
			return nil, err
		}
		return &wire.RenegotiateResponse{SessionDescription: &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp}}, nil
	}
	if err := s.negotiate(op.String(), func(p peer) error { return p.AcceptAnswer(sdp) }); err != nil {
		return nil, err
	}
	return &wire.RenegotiateResponse{}, nil
}

// admitOffer looks at the type before the SDP: that an answer is expected holds whatever the offer is. Strict mode refuses
// an ICE restart, in place of which Cloudflare advises a new session (contract 1.4).
func (s *Session) admitOffer(ctx context.Context, bad error) error {
	if err := s.admit(ctx, opRenegotiateOffer, nil); err != nil {
		return err
	}
	if s.reg.mode == ModeStrict {
		return wire.Refuse(wire.AnswerExpected, "session %s: an offer in renegotiate restarts ICE, which is not documented; create "+
			"a new session and publish again", s.id).Under("SER-2")
	}
	return bad
}
