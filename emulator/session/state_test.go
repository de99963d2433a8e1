package session

import (
	"testing"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// The expectation is written out a second time, cell by cell, in the words of contract 2.2.
func TestEveryCellOfTheStateTable(t *testing.T) {
	const (
		yes       = "yes"
		waits     = "waits then 425 session_error"
		tooEarly  = "425 session_error"
		overlaps  = "406 invalid_session_description"
		goneText  = "410 session_error"
		columnsNo = int(transports) + 1
	)
	want := map[operation][columnsNo]string{
		//                 new       negotiating connected lost      gone      offer pending
		opPush:             {yes, waits, yes, waits, goneText, overlaps},
		opPushWithoutOffer: {yes, waits, yes, waits, goneText, overlaps},
		opPull:             {yes, waits, yes, waits, goneText, overlaps},
		opPullWithOffer:    {yes, waits, yes, waits, goneText, overlaps},
		opPullInto:         {yes, waits, yes, waits, goneText, overlaps},
		opUpdate:           {tooEarly, waits, yes, waits, goneText, yes},
		opRenegotiate:      {overlaps, overlaps, overlaps, overlaps, goneText, yes},
		opRenegotiateOffer: {overlaps, yes, yes, yes, goneText, "406 invalid_params"},
		opCloseForced:      {yes, waits, yes, waits, goneText, yes},
		opCloseNegotiated:  {overlaps, waits, yes, waits, goneText, overlaps},
		opEstablish:        {yes, waits, yes, waits, goneText, overlaps},
		opNewChannels:      {tooEarly, waits, yes, waits, goneText, yes},
		opUpdateChannels:   {tooEarly, waits, yes, waits, goneText, yes},
		opCloseChannels:    {tooEarly, waits, yes, waits, goneText, yes},
		opRead:             {yes, yes, yes, yes, goneText, yes},
	}
	if len(want) != int(operations) {
		t.Fatalf("%d operations expected, the table has %d", len(want), operations)
	}
	describe := func(c cell) string {
		refusal := wire.Refuse(c.problem, "")
		status := map[int]string{406: "406 ", 410: "410 ", 425: "425 "}[refusal.Status] + refusal.Code
		switch c.act {
		case actGo:
			return yes
		case actWait:
			return "waits then " + status
		}
		return status
	}
	for op, row := range want {
		if stateRows[op].source == "" {
			t.Errorf("row %s names no source", op)
		}
		for tr := transportNew; tr < transports; tr++ {
			if got := describe(decide(op, tr, signallingStable)); got != row[tr] {
				t.Errorf("%s, %s, stable: %s, want %s", op, tr, got, row[tr])
			}
			pendingWant := row[transports]
			if tr == transportGone {
				pendingWant = goneText
			}
			if got := describe(decide(op, tr, signallingOfferPending)); got != pendingWant {
				t.Errorf("%s, %s, offer pending: %s, want %s", op, tr, got, pendingWant)
			}
		}
	}
}

func TestTransportOfEachPeerState(t *testing.T) {
	want := map[sfu.State]transport{
		sfu.StateNew:         transportNegotiating,
		sfu.StateNegotiating: transportNegotiating,
		sfu.StateConnected:   transportConnected,
		sfu.StateLost:        transportLost,
		sfu.StateClosed:      transportGone,
	}
	for state, tr := range want {
		if got := transportOf(state); got != tr {
			t.Errorf("peer state %d is %s, want %s", state, got, tr)
		}
	}
}
