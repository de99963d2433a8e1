package session

import (
	"context"
	"errors"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// update changes what is sent on mids of the session, at once and without SDP (contract 1.5). Needs the turn.
func (s *Session) update(ctx context.Context, in *wire.UpdateTracksRequest, f Fault) (*wire.UpdateTracksResponse, error) {
	if err := s.admit(ctx, opUpdate, nil); err != nil {
		return nil, err
	}
	fail := f.failures(len(in.Tracks))
	out := &wire.UpdateTracksResponse{Tracks: make([]wire.TrackResult, len(in.Tracks))}
	for i, item := range in.Tracks {
		result := wire.TrackResult{Mid: item.Mid, SessionID: item.SessionID, TrackName: item.TrackName}
		if fail[i] == nil {
			fail[i] = s.updateItem(i, item, &result)
		}
		if fail[i] != nil {
			result = result.Fail(fail[i])
		}
		out.Tracks[i] = result
	}
	out.Failures = s.failures(fail)
	return out, nil
}

// updateItem fills in the names of the track that is there where the item has none.
func (s *Session) updateItem(i int, item wire.UpdateTrack, result *wire.TrackResult) *wire.Error {
	if item.Location == wire.LocationLocal {
		return wire.Refuse(wire.UpdateLocalTrack, "tracks[%d]: mid %q is asked for as local; publish with tracks/new", i, item.Mid)
	}
	mid, present := s.receiving(item.Mid)
	if mid == "" {
		return wire.Refuse(wire.UpdateNoTrack, "tracks[%d]: session %s has no open track on mid %q; name the mid that the pull "+
			"was answered with", i, s.id, item.Mid)
	}
	if present != nil {
		result.SessionID, result.TrackName = orElse(item.SessionID, present.publisher), orElse(item.TrackName, present.name)
	}
	if result.SessionID == "" || result.TrackName == "" {
		return wire.Refuse(wire.UpdateNoTrack, "tracks[%d]: session %s receives nothing on mid %q yet; name sessionId and trackName "+
			"of what it shall receive", i, s.id, item.Mid)
	}
	result.Mid = mid
	if present != nil && result.SessionID == present.publisher && result.TrackName == present.name && !present.ended() {
		return s.chooseLayer(i, item, present)
	}
	return s.changeSource(i, item, result)
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// receiving finds the mid that an item means, "" for none, and the pulled track on it, nil where a bidirectional
// transceiver has none yet.
func (s *Session) receiving(mid string) (string, *track) {
	if name, byName := (wire.TrackObject{Mid: mid}).MidByName(); byName {
		if mid = s.midOf(name); mid == "" {
			return "", nil
		}
	}
	open := false
	for _, t := range s.list() {
		if t.mid != mid || t.life == lifeClosed {
			continue
		}
		if open = true; t.remote {
			return mid, t.track
		}
	}
	if !open {
		return "", nil
	}
	return mid, nil
}

// chooseLayer changes the layer of the track that is there. Until it is really forwarded the service says that it has no
// layers (contract 1.5).
func (s *Session) chooseLayer(i int, item wire.UpdateTrack, present *track) *wire.Error {
	switch {
	case item.Simulcast == nil:
		return nil // nothing is asked for
	case len(present.source.RIDs()) == 0:
		return wire.Refuse(wire.UpdateNotSimulcast, "tracks[%d]: %q of session %s is published without simulcast; publish it "+
			"with several encodings", i, present.name, present.publisher)
	case !present.sub.Forwarding():
		return wire.Refuse(wire.UpdateNotSimulcast, "tracks[%d]: %q of session %s is not forwarded on mid %s yet; wait for its "+
			"first frame and try again", i, present.name, present.publisher, present.mid).Under("UPD-6")
	}
	if err := s.currentPeer().Select(present.mid, selectionOf(item.Simulcast)); err != nil {
		return s.refuseUpdate(i, item, err)
	}
	s.choose(present, item.Simulcast)
	return nil
}

// changeSource points the mid at another track.
func (s *Session) changeSource(i int, item wire.UpdateTrack, result *wire.TrackResult) *wire.Error {
	source := s.reg.find(s.app, result.SessionID, result.TrackName)
	if source == nil {
		return refuseNotFound(i, s.reg.absent(s.app, result.SessionID, result.TrackName))
	}
	sub, err := s.currentPeer().PullInto(result.Mid, source, selectionOf(item.Simulcast))
	if err != nil {
		return s.refuseUpdate(i, item, err)
	}
	s.replace(&track{remote: true, mid: result.Mid, name: result.TrackName, publisher: result.SessionID,
		source: source, sub: sub, simulcast: item.Simulcast})
	return nil
}

func (s *Session) refuseUpdate(i int, item wire.UpdateTrack, err error) *wire.Error {
	switch {
	case errors.Is(err, sfu.ErrNoSection):
		return wire.Refuse(wire.UpdateNoTrack, "tracks[%d]: %v; the client does not receive on mid %q", i, err, item.Mid)
	case errors.Is(err, sfu.ErrKindMismatch):
		return wire.Refuse(wire.UpdateKindDiffers, "tracks[%d]: %v; pull the track on a mid of its own", i, err)
	case errors.Is(err, sfu.ErrCodecMissing):
		return wire.Refuse(wire.UpdateCodecDiffers, "tracks[%d]: %v; pull the track on a mid of its own", i, err)
	}
	return wire.Refuse(wire.Internal, "tracks[%d]: %v; this is a fault of the emulator", i, err)
}
