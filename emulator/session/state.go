package session

import (
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

type operation int

const (
	opPush operation = iota
	opPull
	opRenegotiate
	opCloseForced
	opCloseNegotiated
	opRead
	operations
)

func (o operation) String() string {
	return [...]string{"tracks/new push", "tracks/new pull", "renegotiate", "tracks/close forced",
		"tracks/close negotiated", "GET"}[o]
}

// transport is the state of a session's connection (contract 2.1).
type transport int

const (
	transportNew         transport = iota // no SDP yet
	transportNegotiating                  // first SDP exchanged, not connected
	transportConnected
	transportLost // no connectivity, within the window in which it may come back
	transportGone
	transports
)

func (t transport) String() string {
	return [...]string{"new", "negotiating", "connected", "lost", "gone"}[t]
}

// signalling is where the offer/answer exchange stands. "Busy" of contract 2.1 is the session's turn.
type signalling int

const (
	signallingStable signalling = iota
	signallingOfferPending
	signallings
)

func (s signalling) String() string { return [...]string{"stable", "sfu-offer-pending"}[s] }

type action int

const (
	actGo action = iota
	actWait
	actRefuse
)

// cell is one decision of the state table; problem is the refusal's catalogue row, for actWait the one at the end of
// the wait.
type cell struct {
	act     action
	problem wire.Problem
}

// stateRow is one line of the table in contract 2.2: a cell for each transport while signalling is stable, and one for
// a pending offer, which outranks the transport unless the session is gone.
type stateRow struct {
	stable  [transports]cell
	pending cell
	source  string
}

var (
	run       = cell{act: actGo}
	wait      = cell{act: actWait, problem: wire.SessionNotReady}
	gone      = cell{act: actRefuse, problem: wire.SessionGone}
	overlap   = cell{act: actRefuse, problem: wire.SDPOutOfOrder}
	noOffer   = cell{act: actRefuse, problem: wire.SDPNoOfferPending}
	stateRows = [operations]stateRow{
		opPush: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 1; lost and code of the overlap: its decision paragraph",
		},
		opPull: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 2; lost and code of the overlap: its decision paragraph",
		},
		opRenegotiate: {
			stable:  [transports]cell{noOffer, noOffer, noOffer, noOffer, gone},
			pending: run,
			source:  "contract 2.2 row 4, 1.4; never negotiated is 406 by contract 1.0",
		},
		opCloseForced: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: run,
			source:  "contract 2.2 row 6; new (item errors) and pending: its decision paragraph",
		},
		opCloseNegotiated: {
			stable:  [transports]cell{overlap, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 7; code of the refusals: its decision paragraph",
		},
		opRead: {
			stable:  [transports]cell{run, run, run, run, gone},
			pending: run,
			source:  "contract 2.2 last row; lost: its decision paragraph",
		},
	}
)

// decide is the state machine: may this operation run now?
func decide(op operation, t transport, s signalling) cell {
	if t != transportGone && s == signallingOfferPending {
		return stateRows[op].pending
	}
	return stateRows[op].stable[t]
}

// transportOf translates a Peer's state. A Peer exists from the first exchange on, so it is never new.
func transportOf(s sfu.State) transport {
	switch s {
	case sfu.StateConnected:
		return transportConnected
	case sfu.StateLost:
		return transportLost
	case sfu.StateClosed:
		return transportGone
	}
	return transportNegotiating
}
