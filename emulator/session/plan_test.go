package session

import (
	"maps"
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
	offer := fakeDescription{
		{Mid: "0", Kind: sfu.KindVideo, Sends: true},
		{Mid: "1", Kind: sfu.KindAudio, Sends: true},
		{Mid: "2", Kind: sfu.KindVideo, Receives: true},
		{Mid: "3", Kind: sfu.KindVideo, Sends: true, Rejected: true},
		{Mid: "4", Kind: sfu.KindData, Sends: true},
	}
	sdp := offerOf("")
	view := func() pushView { return pushView{sections: byMid(offer), names: map[string]bool{"live": true}} }
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
			p := planPush(&wire.TracksRequest{SessionDescription: sdp, Tracks: c.items}, offer, view(), make([]*wire.Error, len(c.items)))
			if !slices.Equal(p.publish, c.publish) || !slices.Equal(codes(p.fail), c.codes) {
				t.Errorf("publishes %q with %q, want %q with %q", p.publish, codes(p.fail), c.publish, c.codes)
			}
		})
	}
	t.Run("mid that is published already takes the new name without publishing", func(t *testing.T) {
		v := view()
		v.reuse = map[string]bool{"0": true}
		p := planPush(&wire.TracksRequest{SessionDescription: sdp, Tracks: []wire.TrackObject{local("0", "new")}}, offer, v, make([]*wire.Error, 1))
		if len(p.publish) != 0 || p.fail[0] != nil {
			t.Errorf("publishes %q with %v", p.publish, p.fail[0])
		}
	})
	t.Run("without an offer a known mid is named, and the rest is offered", func(t *testing.T) {
		bidi := wire.TrackObject{TrackName: "b", Kind: "audio", BidirectionalMediaStream: true}
		p := planPush(&wire.TracksRequest{Tracks: []wire.TrackObject{local("0", "a"), bidi, local("9", "c"), local("2", "d")}}, nil,
			view(), make([]*wire.Error, 4))
		if !slices.Equal(p.publish, []string{"0"}) || !slices.Equal(p.offer, []int{1}) || len(p.bidirectional) != 0 ||
			!slices.Equal(codes(p.fail), []string{"", "", "track_error", "track_error"}) {
			t.Errorf("%+v with %q", p, codes(p.fail))
		}
	})
	t.Run("autoDiscover finds what is new, sends, and is not named", func(t *testing.T) {
		v := view()
		v.former = map[string]bool{"5": true}
		more := append(slices.Clone(offer), sfu.Media{Mid: "5", Kind: sfu.KindAudio, Sends: true}, sfu.Media{Mid: "6", Kind: sfu.KindAudio, Sends: true})
		v.sections = byMid(more)
		p := planPush(&wire.TracksRequest{AutoDiscover: true, SessionDescription: sdp, Tracks: []wire.TrackObject{local("1", "b")}}, more,
			v, make([]*wire.Error, 1))
		if !slices.Equal(p.publish, []string{"1", "0", "6"}) || len(p.items) != 3 || p.items[1].TrackName == "" ||
			p.items[1].TrackName == p.items[2].TrackName || !maps.Equal(p.found, map[string]sfu.Kind{"0": "video", "6": "audio"}) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("an item that is to fail is not tried", func(t *testing.T) {
		p := planPush(&wire.TracksRequest{SessionDescription: sdp, Tracks: []wire.TrackObject{local("0", "a"), local("1", "a")}}, offer,
			view(), []*wire.Error{wire.Refuse(wire.Internal, "on purpose"), nil})
		if !slices.Equal(p.publish, []string{"1"}) || !slices.Equal(codes(p.fail), []string{"internal_error", ""}) {
			t.Errorf("publishes %q with %q", p.publish, codes(p.fail))
		}
	})
}

func (p pull) codes() []string { return codes(p.failures()) }

func TestPlanPullFailsWhatIsNotPublished(t *testing.T) {
	known := newFakePub("0", sfu.KindVideo)
	find := func(sessionID, name string) publication {
		if sessionID == "s2" && name == "a" {
			return known
		}
		return nil
	}
	own := func(name string) string { return map[string]string{"mine": "7"}[name] }
	into := func(mid string) wire.TrackObject { return wire.TrackObject{SessionID: "s2", TrackName: "a", Mid: mid} }
	p := planPull([]wire.TrackObject{remote("s1", "a"), remote("s2", "a"), into("#mine"), into("#other"), remote("s2", "a")},
		[]*wire.Error{4: wire.Refuse(wire.TrackEmpty, "on purpose")},
		pullView{find, func(string, string) string { return "for a reason" }, own})
	const notFound = "not_found_track_error"
	if got := p.codes(); !slices.Equal(got, []string{notFound, "", "", notFound, "empty_track_error"}) {
		t.Errorf("fails %q", got)
	}
	if p.items[0].source != nil || p.items[1].source != known || p.items[2].into != "7" || p.items[1].into != "" || p.items[4].source != nil {
		t.Errorf("items are %+v", p.items)
	}
	if a, b := p.items[0].fail.Explain, p.items[3].fail.Explain; a[:6] != "TRK-1:" || b[:7] != "TRK-11:" {
		t.Errorf("explained as %q and %q", a, b)
	}
}

func TestChoicesOfLayers(t *testing.T) {
	rid := func(s string) *string { return &s }
	simulcast, plain := newFakePub("0", sfu.KindVideo), newFakePub("1", sfu.KindVideo)
	simulcast.rids = []string{"h", "l"}
	for _, c := range []struct {
		choice *wire.Simulcast
		want   sfu.Selection
		lacks  bool
	}{
		{nil, sfu.Selection{}, false},
		{&wire.Simulcast{}, sfu.Selection{}, false},
		{&wire.Simulcast{PreferredRid: rid("")}, sfu.Selection{}, false},
		{&wire.Simulcast{PreferredRid: rid("l"), PriorityOrdering: "none", RidNotAvailable: "none"}, sfu.Selection{PreferredRID: "l"}, false},
		{&wire.Simulcast{PreferredRid: rid("q")}, sfu.Selection{PreferredRID: "q"}, true},
		{&wire.Simulcast{PreferredRid: rid("q"), PriorityOrdering: "asciibetical"}, sfu.Selection{PreferredRID: "q", FallOnBandwidth: true}, true},
		{&wire.Simulcast{PreferredRid: rid("q"), RidNotAvailable: "asciibetical"}, sfu.Selection{PreferredRID: "q", FallOnMissing: true}, false},
	} {
		got := selectionOf(c.choice)
		if got != c.want || lacks(simulcast, got) != c.lacks || lacks(plain, got) {
			t.Errorf("%+v means %+v, lacks %v and %v", c.choice, got, lacks(simulcast, got), lacks(plain, got))
		}
	}
}

func TestPullsFindTheirSections(t *testing.T) {
	video, audio := newFakePub("0", sfu.KindVideo), newFakePub("1", sfu.KindAudio)
	find := func(_, name string) publication {
		return map[string]publication{"v": video, "a": audio}[name]
	}
	item := func(name, mid string) wire.TrackObject {
		return wire.TrackObject{SessionID: "s", TrackName: name, Mid: mid}
	}
	offer := fakeDescription{
		{Mid: "0", Kind: sfu.KindVideo, Receives: true},
		{Mid: "1", Kind: sfu.KindAudio, Receives: true},
		{Mid: "2", Kind: sfu.KindVideo, Sends: true},
		{Mid: "3", Kind: sfu.KindVideo, Receives: true},
		{Mid: "4", Kind: sfu.KindAudio, Receives: true, Rejected: true},
	}
	for _, c := range []struct {
		name  string
		items []wire.TrackObject
		taken map[string]bool
		mids  []string
		codes []string
	}{
		{"by order and kind", []wire.TrackObject{item("v", ""), item("a", ""), item("v", "")}, nil, []string{"0", "1", "3"}, []string{"", "", ""}},
		{"more than sections", []wire.TrackObject{item("a", ""), item("a", "")}, nil, []string{"1", ""}, []string{"", "track_error"}},
		{"a section in use is not free", []wire.TrackObject{item("v", "")}, map[string]bool{"0": true}, []string{"3"}, []string{""}},
		{"by mid, whoever comes first", []wire.TrackObject{item("v", ""), item("v", "0")}, nil, []string{"3", "0"}, []string{"", ""}},
		{"by the mid of another kind", []wire.TrackObject{item("a", "0")}, nil, []string{"0"}, []string{"track_error"}},
		{"by the mid of a sending section", []wire.TrackObject{item("v", "2")}, nil, []string{""}, []string{"track_error"}},
		{"by no section's mid", []wire.TrackObject{item("v", "9")}, nil, []string{""}, []string{"track_error"}},
	} {
		p := planPull(c.items, make([]*wire.Error, len(c.items)), pullView{find: find})
		p.place(offer, c.taken)
		var mids []string
		for _, item := range p.items {
			mids = append(mids, item.mid)
		}
		if !slices.Equal(mids, c.mids) || !slices.Equal(p.codes(), c.codes) {
			t.Errorf("%s: mids %q with %q, want %q with %q", c.name, mids, p.codes(), c.mids, c.codes)
		}
	}
}

func TestPlanClose(t *testing.T) {
	items := []wire.CloseTrack{{Mid: "open"}, {Mid: "closed"}, {Mid: "unknown"}, {Mid: "open"}}
	p := planClose(items, map[string]bool{"open": true, "closed": false}, make([]*wire.Error, len(items)))
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
