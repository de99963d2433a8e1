package session

import (
	"context"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

// Names of operations in a Call: those of our OpenAPI file.
const (
	OpNewSession   = "newSession"
	OpGetSession   = "getSession"
	OpNewTracks    = "newTracks"
	OpUpdateTracks = "updateTracks"
	OpCloseTracks  = "closeTracks"
	OpRenegotiate  = "renegotiate"

	OpEstablishData  = "establishDataChannels"
	OpNewChannels    = "newDataChannels"
	OpUpdateChannels = "updateDataChannels"
	OpCloseChannels  = "closeDataChannels"

	OpNewAdapters   = "newAdapters"
	OpCloseAdapters = "closeAdapters"
)

// Call is an operation as fault rules see it: on a session that is there, on adapters, or what is given to Faulty.
type Call struct {
	App       string
	Session   string // that of the path, or the new one; none with adapters
	Key       string // TURN key
	Account   string
	Operation string // one of the names above, or another of our OpenAPI file
	Items     int    // how many tracks, data channels or adapters the request names; those that autoDiscover finds are not counted
}

// Fault is what goes wrong on purpose with one call; the zero value is nothing. The Registry does what it says.
type Fault struct {
	// Delay holds the call up, on the Registry's clock, within the session's turn. A client that goes away ends it.
	Delay time.Duration
	// After means that delay and errors come when the operation has had its effect; otherwise before it.
	After bool
	// Error is the answer to the whole request, nil for none.
	Error *wire.Error
	// Items fails single items, by index. Before the effect such an item is not tried at all.
	Items map[int]*wire.Error
	// Silences makes tracks that this call publishes carry nothing.
	Silences []Silence
}

// Silence makes published tracks carry nothing for a while, as if their publisher had stopped sending.
type Silence struct {
	Track string          // the name; empty means every one
	For   time.Duration   // on the Registry's clock
	Ended <-chan struct{} // closed where the silence is to end before its time; nil for never
}

// Faults decides about every call once, when its session's turn has come. Decide is called concurrently; it returns at
// once and calls nothing of this package.
type Faults interface {
	Decide(Call) Fault
}

func (r *Registry) fault(c Call) Fault {
	if r.faults == nil {
		return Fault{}
	}
	return r.faults.Decide(c)
}

// happen holds up and fails a call at the given side of its effect.
func (f Fault) happen(ctx context.Context, s *Session, after bool) error {
	if f.After != after {
		return nil
	}
	if f.Delay > 0 {
		timer := s.reg.clock.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-s.gone:
			if !after {
				return s.reg.refuseUnknown(s.app, s.id)
			}
		case <-s.reg.stop:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.Error != nil {
		return f.Error
	}
	return nil
}

// happenWithout is happen for a call that is about no session.
func (f Fault) happenWithout(ctx context.Context, r *Registry, after bool) error {
	if f.After != after {
		return nil
	}
	if f.Delay > 0 {
		timer := r.clock.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-r.stop:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.Error != nil {
		return f.Error
	}
	return nil
}

// Faulty carries out an operation that is not the Registry's, such as those of the account API, with what goes wrong with it.
func (r *Registry) Faulty(ctx context.Context, c Call, operate func() error) error {
	f := r.fault(c)
	if err := f.happenWithout(ctx, r, false); err != nil {
		return err
	}
	if err := operate(); err != nil {
		return err
	}
	return f.happenWithout(ctx, r, true)
}

// failures are the items to fail before the effect, one entry per item, nil for the good ones.
func (f Fault) failures(items int) []*wire.Error {
	fail := make([]*wire.Error, items)
	if f.After {
		return fail
	}
	for i, e := range f.Items {
		if i >= 0 && i < items {
			fail[i] = e
		}
	}
	return fail
}

// spoil fails items of an answer whose effect has taken place. Those that failed by themselves stay as they are.
func (f Fault) spoil(answer any) {
	if !f.After {
		return
	}
	switch out := answer.(type) {
	case *wire.TracksResponse:
		spoilItems(f.Items, out.Tracks, &out.Failures, func(t wire.TrackResult, e *wire.Error) wire.TrackResult {
			return wire.TrackResult{SessionID: t.SessionID, TrackName: t.TrackName}.Fail(e)
		})
	case *wire.UpdateTracksResponse:
		spoilItems(f.Items, out.Tracks, &out.Failures, wire.TrackResult.Fail)
	case *wire.CloseTracksResponse:
		spoilItems(f.Items, out.Tracks, &out.Failures, wire.TrackResult.Fail)
	case *wire.ChannelsResponse:
		spoilItems(f.Items, out.DataChannels, &out.Failures, wire.ChannelResult.Fail)
	case *wire.AdaptersResponse:
		spoilItems(f.Items, out.Tracks, &out.Failures, wire.AdapterResult.Fail)
	case *wire.CloseAdaptersResponse:
		spoilItems(f.Items, out.Tracks, &out.Failures, wire.CloseAdapterResult.Fail)
	}
}

// spoilItems fails the items that have an error, by their place, and have not failed by themselves.
func spoilItems[I interface{ Failed() bool }](errs map[int]*wire.Error, items []I, failures *wire.Failures, fail func(I, *wire.Error) I) {
	for i, item := range items {
		if e := errs[i]; e != nil && !item.Failed() {
			items[i] = fail(item, e)
			failures.Failed = append(failures.Failed, e)
		}
	}
}

// Silence begins a silence of the tracks that are live at present: those of one app or of all, of one session or of all. It
// returns how many they are.
func (r *Registry) Silence(appID, sessionID string, silence Silence) (tracks int) {
	for _, s := range r.allSessions() {
		if appID != "" && s.app.id != appID || sessionID != "" && s.id != sessionID {
			continue
		}
		for _, t := range s.list() {
			if !t.remote && t.status() == wire.StatusActive && silence.means(t.name) {
				s.silence(t.source, silence)
				tracks++
			}
		}
	}
	return tracks
}

func (x Silence) means(track string) bool { return x.Track == "" || x.Track == track }

// silence keeps a publication silent for its time.
func (s *Session) silence(source publication, x Silence) {
	end := source.Silence()
	timer := s.reg.clock.NewTimer(x.For)
	s.reg.start(func() {
		defer timer.Stop()
		defer end()
		select {
		case <-timer.C():
		case <-x.Ended:
		case <-source.Done():
		case <-s.reg.stop:
		}
	})
}
