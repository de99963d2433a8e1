package session

import (
	"strings"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// The plans below are pure: request and look-ups in, plan and failed items out.

// refuseUnbuilt refuses requests that later versions will serve, rather than doing something half right.
func refuseUnbuilt(in *wire.TracksRequest) *wire.Error {
	notYet := func(what string) *wire.Error {
		return wire.Refuse(wire.NotEmulated, "tracks/new uses a part of the API that this version lacks: %s", what).Fill(what)
	}
	if in.AutoDiscover {
		return notYet("autoDiscover")
	}
	for _, track := range in.Tracks {
		switch {
		case track.BidirectionalMediaStream:
			return notYet("bidirectionalMediaStream")
		case strings.HasPrefix(track.Mid, "#"):
			return notYet("A mid of the form #trackName")
		case track.Remote() && in.SessionDescription != nil:
			return notYet("Pulling with an offer of the client")
		case !track.Remote() && in.SessionDescription == nil:
			return notYet("Pushing without an offer")
		}
	}
	return nil
}

// push is what a push request comes to: tracks[i] belongs to the request's item i, fail[i] is set where it failed.
type push struct {
	publish []string // mids for the SFU to publish
	fail    []*wire.Error
}

// planPush checks every item against the offer and the names that are live on the session. reuse tells which mids
// already carry an open publication; such a mid gets the new name and needs no publishing (contract 10 Q8).
func planPush(items []wire.TrackObject, offer []sfu.Media, liveNames, reuse map[string]bool) push {
	sections := make(map[string]sfu.Media, len(offer))
	for _, media := range offer {
		sections[media.Mid] = media
	}
	p := push{fail: make([]*wire.Error, len(items))}
	names, mids := map[string]bool{}, map[string]bool{}
	for i, item := range items {
		section, present := sections[item.Mid]
		switch {
		case liveNames[item.TrackName] || names[item.TrackName]:
			p.fail[i] = wire.Refuse(wire.TrackRepeated, "tracks[%d]: the name %q is taken on this session; "+
				"close the other track or choose another name", i, item.TrackName)
		case !present:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: mid %q is not in the offer", i, item.Mid)
		case section.Rejected || !section.Sends || section.Kind == sfu.KindData:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: mid %q is a rejected, non-sending or data section; "+
				"offer it as sendonly or sendrecv", i, item.Mid)
		case mids[item.Mid]:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: mid %q is named by an earlier item", i, item.Mid)
		default:
			names[item.TrackName], mids[item.Mid] = true, true
			if !reuse[item.Mid] {
				p.publish = append(p.publish, item.Mid)
			}
		}
	}
	return p
}

// pull is what a pull request comes to: sources[i] is the publication of item i, nil where fail[i] says why not.
type pull struct {
	sources []publication
	fail    []*wire.Error
}

// planPull looks up every item. An unknown session, a dead one and an unknown name look alike (contract 1.3, 2.2).
func planPull(items []wire.TrackObject, find func(sessionID, trackName string) publication) pull {
	p := pull{sources: make([]publication, len(items)), fail: make([]*wire.Error, len(items))}
	for i, item := range items {
		if p.sources[i] = find(item.SessionID, item.TrackName); p.sources[i] == nil {
			p.fail[i] = refuseNotFound(i, item)
		}
	}
	return p
}

func refuseNotFound(i int, item wire.TrackObject) *wire.Error {
	return wire.Refuse(wire.TrackNotFound, "tracks[%d]: session %q publishes no track %q: never pushed, closed, "+
		"collected after silence, or its session is gone", i, item.SessionID, item.TrackName)
}

// refuseEmpty is the failure of an item whose publisher sent nothing within the wait.
func refuseEmpty(i int, item wire.TrackObject) *wire.Error {
	return wire.Refuse(wire.TrackEmpty, "tracks[%d]: no packet of track %q of session %q came within the wait; "+
		"check that the publisher is connected and sends", i, item.TrackName, item.SessionID)
}

// closing is what a close request comes to. known holds open and closed mids alike: a client that stops the transceiver
// of a track which is closed already must find it closed in the answer (contract 1.6).
type closing struct {
	open    []string
	known   []string
	results []wire.TrackResult
	fail    []*wire.Error
}

// planClose tells open tracks from closed and unknown ones. openMids has an entry for each mid of the session.
func planClose(items []wire.CloseTrack, openMids map[string]bool) closing {
	c := closing{fail: make([]*wire.Error, len(items))}
	seen := map[string]bool{}
	for i, item := range items {
		open, exists := openMids[item.Mid]
		first := !seen[item.Mid]
		seen[item.Mid] = true
		if exists && first {
			c.known = append(c.known, item.Mid)
		}
		result := wire.TrackResult{Mid: item.Mid}
		if open && first {
			c.open = append(c.open, item.Mid)
		} else {
			c.fail[i] = wire.Refuse(wire.TrackNotOpen, "tracks[%d]: mid %q has no open track on this session", i, item.Mid)
			result = result.Fail(c.fail[i])
		}
		c.results = append(c.results, result)
	}
	return c
}
