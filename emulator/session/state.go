package session

import (
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

type operation int

const (
	opPush operation = iota
	opPushWithoutOffer
	opPull
	opPullWithOffer
	opPullInto
	opUpdate
	opRenegotiate
	opRenegotiateOffer
	opCloseForced
	opCloseNegotiated
	opEstablish
	opNewChannels
	opUpdateChannels
	opCloseChannels
	opRead
	operations
)

func (o operation) String() string {
	return [...]string{"tracks/new push", "tracks/new push without an offer", "tracks/new pull", "tracks/new pull with an offer",
		"tracks/new pull into a transceiver", "tracks/update", "renegotiate", "renegotiate with an offer",
		"tracks/close forced", "tracks/close negotiated", "datachannels/establish", "datachannels/new", "datachannels/update",
		"datachannels/close", "GET"}[o]
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
	notReady  = cell{act: actRefuse, problem: wire.SessionNotReady}
	notAnswer = cell{act: actRefuse, problem: wire.AnswerExpected}
	// channelsRow: what the connection lacks for data channels is another matter, see dataPeer.
	channelsRow = stateRow{
		stable:  [transports]cell{notReady, wait, run, wait, gone},
		pending: run,
		source:  "contract 2.2 row 9; new, lost and pending: its decision paragraph",
	}
	stateRows = [operations]stateRow{
		opPush: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 1; lost and code of the overlap: its decision paragraph",
		},
		opPushWithoutOffer: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 1.3 case E, 2.2 as row 1: it makes the SFU offer, or names sections of an exchange before",
		},
		opPull: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 2; lost and code of the overlap: its decision paragraph",
		},
		opPullWithOffer: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 3; lost and code of the overlap: its decision paragraph",
		},
		opPullInto: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 1.3 case C, 2.2 as row 2; pending: its decision paragraph names tracks/new as a whole",
		},
		opUpdate: {
			stable:  [transports]cell{notReady, wait, run, wait, gone},
			pending: run,
			source:  "contract 2.2 row 5; new, lost and pending: its decision paragraph",
		},
		opRenegotiate: {
			stable:  [transports]cell{noOffer, noOffer, noOffer, noOffer, gone},
			pending: run,
			source:  "contract 2.2 row 4, 1.4; never negotiated is 406 by contract 1.0",
		},
		opRenegotiateOffer: {
			stable:  [transports]cell{overlap, run, run, run, gone},
			pending: notAnswer,
			source:  "contract 1.4; never negotiated is 406 as row 4; without connection is what an ICE restart is for, inferred",
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
		opEstablish: {
			stable:  [transports]cell{run, wait, run, wait, gone},
			pending: overlap,
			source:  "contract 2.2 row 8; lost and code of the overlap: its decision paragraph",
		},
		opNewChannels:    channelsRow,
		opUpdateChannels: channelsRow,
		opCloseChannels:  channelsRow,
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
