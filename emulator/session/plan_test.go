package session

import (
	"slices"
	"testing"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func codes(fail []*wire.Error) []string {
	list := make([]string, len(fail))
	for i, f := range fail {
		if f != nil {
			list[i] = f.Code
		}
	}
	return list
}

func TestPlanPush(t *testing.T) {
	offer := []sfu.Media{
		{Mid: "0", Kind: sfu.KindVideo, Sends: true},
		{Mid: "1", Kind: sfu.KindAudio, Sends: true},
		{Mid: "2", Kind: sfu.KindVideo, Receives: true},
		{Mid: "3", Kind: sfu.KindVideo, Sends: true, Rejected: true},
		{Mid: "4", Kind: sfu.KindData, Sends: true},
	}
	for _, c := range []struct {
		name    string
		items   []wire.TrackObject
		publish []string
		codes   []string
	}{
		{"two new tracks", []wire.TrackObject{local("0", "a"), local("1", "b")}, []string{"0", "1"}, []string{"", ""}},
		{"name live on the session", []wire.TrackObject{local("0", "live")}, nil, []string{"repeated_local_track_error"}},
		{"name twice in the request", []wire.TrackObject{local("0", "a"), local("1", "a")}, []string{"0"}, []string{"", "repeated_local_track_error"}},
		{"mid twice in the request", []wire.TrackObject{local("0", "a"), local("0", "b")}, []string{"0"}, []string{"", "track_error"}},
		{"mid not in the offer", []wire.TrackObject{local("9", "a"), local("1", "b")}, []string{"1"}, []string{"track_error", ""}},
		{"section receives only", []wire.TrackObject{local("2", "a")}, nil, []string{"track_error"}},
		{"section rejected", []wire.TrackObject{local("3", "a")}, nil, []string{"track_error"}},
		{"data section", []wire.TrackObject{local("4", "a")}, nil, []string{"track_error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planPush(c.items, offer, map[string]bool{"live": true}, nil)
			if !slices.Equal(p.publish, c.publish) || !slices.Equal(codes(p.fail), c.codes) {
				t.Errorf("publishes %q with %q, want %q with %q", p.publish, codes(p.fail), c.publish, c.codes)
			}
		})
	}
	t.Run("mid that is published already takes the new name without publishing", func(t *testing.T) {
		p := planPush([]wire.TrackObject{local("0", "new")}, offer, nil, map[string]bool{"0": true})
		if len(p.publish) != 0 || p.fail[0] != nil {
			t.Errorf("publishes %q with %v", p.publish, p.fail[0])
		}
	})
}

func TestPlanPullFailsWhatIsNotPublished(t *testing.T) {
	known := newFakePub()
	p := planPull([]wire.TrackObject{remote("s1", "a"), remote("s2", "a")}, func(sessionID, name string) publication {
		if sessionID == "s2" && name == "a" {
			return known
		}
		return nil
	})
	if !slices.Equal(codes(p.fail), []string{"not_found_track_error", ""}) || p.sources[0] != nil || p.sources[1] != known {
		t.Errorf("fails %q, sources %v", codes(p.fail), p.sources)
	}
}

func TestPlanClose(t *testing.T) {
	items := []wire.CloseTrack{{Mid: "open"}, {Mid: "closed"}, {Mid: "unknown"}, {Mid: "open"}}
	p := planClose(items, map[string]bool{"open": true, "closed": false})
	if !slices.Equal(p.open, []string{"open"}) || !slices.Equal(p.known, []string{"open", "closed"}) {
		t.Errorf("open %q, known %q", p.open, p.known)
	}
	const gone = "close_track_error"
	if got := codes(p.fail); !slices.Equal(got, []string{"", gone, gone, gone}) {
		t.Errorf("items fail with %q", got)
	}
	for i, result := range p.results {
		if result.Mid != items[i].Mid {
			t.Errorf("result %d is about mid %q, the request's about %q", i, result.Mid, items[i].Mid)
		}
	}
}

func TestPartsThatAreNotBuiltAreRefusedHonestly(t *testing.T) {
	sdp := offerOf("0 video sendonly")
	for name, in := range map[string]*wire.TracksRequest{
		"autoDiscover":       {AutoDiscover: true, SessionDescription: sdp},
		"bidirectional":      {SessionDescription: sdp, Tracks: []wire.TrackObject{{TrackName: "a", Mid: "0", BidirectionalMediaStream: true}}},
		"mid of a name":      {Tracks: []wire.TrackObject{{TrackName: "a", SessionID: "s", Mid: "#b"}}},
		"pull with an offer": {SessionDescription: sdp, Tracks: []wire.TrackObject{remote("s", "a")}},
		"push without offer": {Tracks: []wire.TrackObject{{TrackName: "a", Kind: "audio"}}},
	} {
		refusal := refuseUnbuilt(in)
		if refusal == nil {
			t.Errorf("%s passes", name)
			continue
		}
		wantProblem(t, refusal, wire.NotEmulated)
	}
	for name, in := range map[string]*wire.TracksRequest{
		"push": {SessionDescription: sdp, Tracks: []wire.TrackObject{local("0", "a")}},
		"pull": {Tracks: []wire.TrackObject{remote("s", "a")}},
	} {
		if refusal := refuseUnbuilt(in); refusal != nil {
			t.Errorf("%s is refused: %v", name, refusal)
		}
	}
}
