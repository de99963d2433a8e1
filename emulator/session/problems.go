package session

import (
	"context"
	"errors"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// translate turns an error of package sfu into its catalogue row. It is the only place that knows both.
func translate(err error, op string, sessionID string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, sfu.ErrSDPLineEnd):
		return wire.Refuse(wire.SDPLineEnd, "%s on session %s: %v; end the SDP with CRLF", op, sessionID, err)
	case errors.Is(err, sfu.ErrSDPNoUfrag):
		return wire.Refuse(wire.SDPNoUfrag, "%s on session %s: %v; send the SDP as the browser made it", op, sessionID, err)
	case errors.Is(err, sfu.ErrSDPSyntax):
		return wire.Refuse(wire.SDPUnparsable, "%s on session %s: %v; send the SDP as the browser made it", op, sessionID, err)
	case errors.Is(err, sfu.ErrSDPMismatch):
		return wire.Refuse(wire.SDPMismatch, "%s on session %s: %v; SDP of one session must come from one PeerConnection", op, sessionID, err)
	case errors.Is(err, sfu.ErrNoEndpoint):
		return wire.Refuse(wire.SDPMismatch, "%s on session %s: %v; use a session of your own", op, sessionID, err)
	case errors.Is(err, sfu.ErrCodecMissing):
		return wire.Refuse(wire.SDPCodecMissing, "%s on session %s: %v; answer with the offered codec", op, sessionID, err)
	case errors.Is(err, sfu.ErrOfferPending):
		return wire.Refuse(wire.SDPOutOfOrder, "%s on session %s: %v; send the answer by renegotiate first", op, sessionID, err)
	case errors.Is(err, sfu.ErrNoOfferPending):
		return wire.Refuse(wire.SDPNoOfferPending, "%s on session %s: %v; an answer counts once", op, sessionID, err)
	case errors.Is(err, sfu.ErrClosed):
		return wire.Refuse(wire.SessionGone, "%s on session %s: %v; create a new session", op, sessionID, err)
	}
	return wire.Refuse(wire.Internal, "%s on session %s: %v", op, sessionID, err)
}

// refuse explains a cell of the state table that says no.
func refuse(p wire.Problem, op operation, sessionID string, t transport, s signalling) *wire.Error {
	cure := "wait for the PeerConnection to connect"
	switch p {
	case wire.SessionGone:
		cure = "create a new session and publish again"
	case wire.SDPOutOfOrder:
		cure = "send the answer to the pending offer by renegotiate, or begin with a push or a pull"
	case wire.AnswerExpected:
		cure = "send the answer to the pending offer first"
	case wire.SDPNoOfferPending:
		cure = "renegotiate takes one answer to each offer of the SFU"
	}
	return wire.Refuse(p, "%s on session %s refused: transport %s, signalling %s; %s", op, sessionID, t, s, cure)
}

// refuseUnknown answers a session id that this app does not have: never issued, another app's, or expired. The real
// service hangs on some of these; 410 is the contract's choice (contract 1.7).
func (r *Registry) refuseUnknown(app *App, sessionID string) *wire.Error {
	return wire.Refuse(wire.SessionGone, "%s; create a new session", r.whereabouts(app, sessionID))
}
