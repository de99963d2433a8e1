package session

import (
	"fmt"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

// Contract is the day whose state of the service is emulated; the zero value is the newest.
type Contract struct{ day time.Time }

// ParseContract reads YYYY-MM-DD; nothing means the newest.
func ParseContract(s string) (Contract, error) {
	if s == "" {
		return Contract{}, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Contract{}, fmt.Errorf("contract date %q is not of the form YYYY-MM-DD", s)
	}
	return Contract{day}, nil
}

// String is the inverse of ParseContract, except that the newest is called so.
func (c Contract) String() string {
	if c.day.IsZero() {
		return "newest"
	}
	return c.day.Format(time.DateOnly)
}

// Change is a dated change of the service that the emulator can undo.
type Change struct {
	Name   string
	Since  string // YYYY-MM-DD, the first day on which it is in force
	Help   string
	Source string

	undo func(*wire.Error) // makes an error what it was before; nil where the change is not about errors
}

// Changes lists the dated changes, oldest first.
func Changes() []Change { return append([]Change(nil), changes...) }

var (
	changeAdapterReconnect = Change{"adapter-reconnect", "2026-05-29", "the socket of an egress adapter is made anew when it is lost",
		"contract 5.4", nil}
	changeAdapterRetry = Change{"adapter-retry", "2026-09-30", "the lost socket of an egress adapter is made anew for 15 s instead of 5 s", "contract 5.4, 12", nil}
	changeAdapterClose = Change{"adapter-close", "2026-09-30", "closing an adapter that is closed succeeds", "contract 5.2, 12", nil}
	// changeAdapterSession: what is known of the beta's answers bears no date of its own.
	changeAdapterSession = Change{"adapter-session", "2026-09-30", "results of remote adapters have no sessionId", "contract 5.1", nil}

	changes = []Change{
		{"empty-track-text", "2026-01-01", "the text of empty_track_error says that the publisher must be connected",
			"contract 1.2, older text; the day is inferred", olderEmptyTrackText},
		changeAdapterReconnect, changeAdapterRetry, changeAdapterClose, changeAdapterSession,
	}
)

// betaAdapterRetry is the window of contract 5.4 before changeAdapterRetry.
const betaAdapterRetry = 5 * time.Second

func olderEmptyTrackText(e *wire.Error) {
	if e.Problem == wire.TrackEmpty {
		e.Description = "No track data from remote peer. Make sure the publisher peer is sending packets for this track"
	}
}

// InForce reports whether a change has happened by the contract's day.
func (c Contract) InForce(change Change) bool {
	since, err := time.Parse(time.DateOnly, change.Since)
	return c.day.IsZero() || err == nil && !c.day.Before(since)
}

// asOf makes an error what it was on the contract's day.
func (c Contract) asOf(e *wire.Error) *wire.Error {
	if e == nil {
		return nil
	}
	for i := len(changes) - 1; i >= 0; i-- {
		if changes[i].undo != nil && !c.InForce(changes[i]) {
			changes[i].undo(e)
		}
	}
	return e
}
