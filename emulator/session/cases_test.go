package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// Cases C to F of tracks/new, and what an offer in sessions/new leaves to be named (contract 1.1, 1.3).

func (b *bench) add(id string, in *wire.TracksRequest) *wire.TracksResponse {
	b.Helper()
	out, err := b.AddTracks(b.Context(), b.app, id, in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// wantItems compares items as "mid name" or "code name".
func wantItems(t *testing.T, items []wire.TrackResult, want ...string) {
	t.Helper()
	var got []string
	for _, item := range items {
		got = append(got, item.Mid+item.ErrorCode+" "+item.TrackName)
	}
	if !slices.Equal(got, want) {
		t.Errorf("items are %q, want %q", got, want)
	}
}

// bidirectional is a connected session with the track "user-mic" on the bidirectional mid 0.
func (b *bench) bidirectional() string {
	b.Helper()
	id := b.newSession()
	item := local("0", "user-mic")
	item.BidirectionalMediaStream = true
	b.add(id, &wire.TracksRequest{SessionDescription: offerOf("0 audio sendrecv"), Tracks: []wire.TrackObject{item}})
	b.connect(id)
	b.peer(id).pubs["0"].send()
	return id
}

func TestPullThroughANamedTransceiverNeedsNoSDP(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, first, second := b.bidirectional(), b.bidirectional(), b.bidirectional()
		into := func(publisher string) *wire.TracksResponse {
			item := remote(publisher, "user-mic")
			item.Mid = "#user-mic"
			return b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{item}})
		}
		out := into(first)
		wantItems(t, out.Tracks, "0 user-mic")
		if out.RequiresImmediateRenegotiation || out.SessionDescription != nil || out.Tracks[0].SessionID != first {
			t.Errorf("%+v", out)
		}
		if got := b.peer(id).subs["0"].source; got != b.find(b.app, first, "user-mic") {
			t.Errorf("the source is %v", got)
		}
		b.wantStatuses(id, "local 0 user-mic active", "remote 0 user-mic active")
		into(second)
		if got := b.peer(id).subs["0"].source; got != b.find(b.app, second, "user-mic") {
			t.Errorf("repeated, the source is %v", got)
		}
		b.wantStatuses(id, "local 0 user-mic active", "remote 0 user-mic active") // replaced, not added
		if len(b.peer(id).offers) != 0 {
			t.Error("the SFU made an offer")
		}
		if _, err := b.closeTracks(id, "", "0"); err != nil {
			t.Fatal(err)
		}
		b.wantStatuses(id, "local 0 user-mic inactive", "remote 0 user-mic inactive") // both directions stop
	})
}

func TestMidWithASilentTrackIsClosedForTheSakeOfItsPull(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, publisher := b.bidirectional(), b.bidirectional()
		item := remote(publisher, "user-mic")
		item.Mid = "#user-mic"
		b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{item}})
		b.add(id, &wire.TracksRequest{SessionDescription: offerOf("0 audio sendrecv"), Tracks: []wire.TrackObject{local("0", "renamed")}})
		b.pass(30 * time.Second)
		b.wantStatuses(id, "local 0 user-mic inactive", "remote 0 user-mic active", "local 0 renamed inactive")
		out, err := b.closeTracks(id, "", "0")
		if err != nil || out.Tracks[0].ErrorCode != "" {
			t.Errorf("%+v, %v", out, err)
		}
		b.wantStatuses(id, "local 0 user-mic inactive", "remote 0 user-mic inactive", "local 0 renamed inactive")
	})
}

func TestPullIntoWhatCannotTakeIt(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, camera, mic := b.bidirectional(), b.publisher("cam"), b.bidirectional()
		if _, err := b.push(t.Context(), id, "0 audio sendrecv;1 audio sendonly", local("1", "plain")); err != nil {
			t.Fatal(err)
		}
		into := func(publisher, name, mid string) wire.TrackObject {
			item := remote(publisher, name)
			item.Mid = mid
			return item
		}
		out := b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{
			into(mic, "user-mic", "#nobody"), into(mic, "user-mic", "#plain"), into(mic, "user-mic", "#user-mic"), into(camera, "cam", "#user-mic"),
		}})
		wantItems(t, out.Tracks, "not_found_track_error user-mic", "internal_error user-mic", "0 user-mic", "track_error cam")
		var rules []string
		for _, line := range out.Explanations() {
			rule, _, _ := strings.Cut(line, ":")
			rules = append(rules, rule)
		}
		if !slices.Equal(rules, []string{"TRK-11", "TRK-12", "TRK-8"}) {
			t.Errorf("explained as %q", out.Explanations())
		}
		b.peer(mic).pubs["0"].codec = "PCMU"
		out = b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{into(mic, "user-mic", "#user-mic")}})
		wantItems(t, out.Tracks, "track_error user-mic")
	})
}

func TestPullThroughATransceiverBesideAPlainOne(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, publisher := b.bidirectional(), b.bidirectional()
		item := remote(publisher, "user-mic")
		item.Mid = "#user-mic"
		out := b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{item, remote(publisher, "user-mic")}})
		wantItems(t, out.Tracks, "0 user-mic", "1 user-mic")
		if !out.RequiresImmediateRenegotiation || out.SessionDescription.Type != "offer" {
			t.Errorf("%+v", out)
		}
	})
}

func TestPullWithTheClientsOfferIsAnswered(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam", "screen"), b.newSession()
		out := b.add(id, &wire.TracksRequest{SessionDescription: offerOf("a audio recvonly;b video recvonly"),
			Tracks: []wire.TrackObject{remote(publisher, "none"), remote(publisher, "cam"), remote(publisher, "screen")}})
		wantItems(t, out.Tracks, "not_found_track_error none", "b cam", "track_error screen")
		if out.RequiresImmediateRenegotiation || out.SessionDescription.Type != "answer" || out.Tracks[1].SessionID != publisher {
			t.Errorf("%+v", out)
		}
		b.connect(id)
		out = b.add(id, &wire.TracksRequest{SessionDescription: offerOf("a audio recvonly;b video recvonly;c video recvonly"),
			Tracks: []wire.TrackObject{remote(publisher, "screen")}})
		wantItems(t, out.Tracks, "c screen") // b carries a pull already
		out = b.add(id, &wire.TracksRequest{SessionDescription: offerOf("a audio recvonly"), Tracks: []wire.TrackObject{remote(publisher, "none")}})
		if out.SessionDescription != nil {
			t.Error("a request without success was negotiated")
		}
		b.peer(id).fail = sfu.ErrCodecMissing
		_, err := b.AddTracks(t.Context(), b.app, id, &wire.TracksRequest{SessionDescription: offerOf("d video recvonly"),
			Tracks: []wire.TrackObject{remote(publisher, "cam")}})
		wantProblem(t, err, wire.SDPCodecMissing)
	})
}

func TestPushWithoutAnOfferIsOffered(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		out := b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{
			{Location: "local", TrackName: "voice", Kind: "audio", BidirectionalMediaStream: true}, {TrackName: "cam", Kind: "video"}}})
		wantItems(t, out.Tracks, "0 voice", "1 cam")
		if !out.RequiresImmediateRenegotiation || out.SessionDescription.Type != "offer" || out.Tracks[0].SessionID != "" {
			t.Errorf("%+v", out)
		}
		want := []sfu.Push{{Kind: "audio", Bidirectional: true}, {Kind: "video"}}
		if got := b.peer(id).offers[0].Pushes; !slices.Equal(got, want) {
			t.Errorf("the plan is %+v", got)
		}
		if b.find(b.app, id, "voice") == nil {
			t.Error("the track is not found")
		}
		b.wantStatuses(id, "local 0 voice active", "local 1 cam active")
	})
}

func TestSectionsOfAFirstOfferAreNamedLater(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		const sdp = "0 video sendonly;1 audio sendonly;x2 video sendonly;3 video recvonly"
		out, err := b.NewSession(t.Context(), b.app, &wire.NewSessionRequest{SessionDescription: offerOf(sdp)})
		if err != nil {
			t.Fatal(err)
		}
		id := out.SessionID
		b.connect(id)
		named := b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{local("0", "cam"), local("x2", "odd"), local("3", "none"), local("4", "none")}})
		wantItems(t, named.Tracks, "0 cam", "track_error odd", "track_error none", "track_error none")
		if named.SessionDescription != nil || named.RequiresImmediateRenegotiation {
			t.Errorf("%+v", named)
		}
		named = b.add(id, &wire.TracksRequest{SessionDescription: offerOf(sdp), Tracks: []wire.TrackObject{local("1", "mic")}})
		wantItems(t, named.Tracks, "1 mic")
		b.wantStatuses(id, "local 0 cam active", "local 1 mic active")
		renamed := b.add(id, &wire.TracksRequest{Tracks: []wire.TrackObject{local("0", "camera")}})
		wantItems(t, renamed.Tracks, "0 camera")
		b.wantStatuses(id, "local 0 cam inactive", "local 1 mic active", "local 0 camera active")
	})
}

func TestAutoDiscoverNamesWhatIsNew(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		out := b.add(id, &wire.TracksRequest{AutoDiscover: true, SessionDescription: offerOf("0 audio sendonly;1 video sendrecv;2 video recvonly")})
		if len(out.Tracks) != 2 || out.SessionDescription.Type != "answer" || out.RequiresImmediateRenegotiation {
			t.Fatalf("%+v", out)
		}
		for i, kind := range []string{"audio", "video"} {
			item := out.Tracks[i]
			if item.Location != "local" || item.Kind != kind || item.Mid != []string{"0", "1"}[i] || b.find(b.app, id, item.TrackName) == nil {
				t.Errorf("item %d is %+v", i, item)
			}
		}
		b.connect(id)
		out = b.add(id, &wire.TracksRequest{AutoDiscover: true, Tracks: []wire.TrackObject{local("3", "screen")},
			SessionDescription: offerOf("0 audio sendonly;1 video sendrecv;2 video recvonly;3 video sendonly;4 audio sendonly")})
		if len(out.Tracks) != 2 || out.Tracks[0] != (wire.TrackResult{Mid: "3", TrackName: "screen"}) || out.Tracks[1].Mid != "4" {
			t.Errorf("%+v", out.Tracks)
		}
		_, err := b.AddTracks(t.Context(), b.app, id, &wire.TracksRequest{AutoDiscover: true, SessionDescription: offerOf("0 audio sendonly")})
		wantProblem(t, err, wire.NoTracks)
	})
}

func TestThirdPartySessionsChecksItself(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		for _, c := range []struct {
			options []Option
			full    bool
		}{{nil, false}, {[]Option{ThirdParty()}, true}} {
			out, err := b.NewSession(t.Context(), b.app, &wire.NewSessionRequest{SessionDescription: offerOf("0 audio sendrecv")}, c.options...)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.peer(out.SessionID).full; got != c.full {
				t.Errorf("full ICE is %v", got)
			}
		}
	})
}

// Simulcast at the pull (contract 3.5).

func TestPullOfALayerThatWasNeverAnnounced(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, rid := b.publisher("cam"), "q"
		pub := b.peer(publisher).pubs["0"]
		pub.rids = []string{"h", "l"}
		defer pub.sendOn()()
		strict, lenient := remote(publisher, "cam"), remote(publisher, "cam")
		strict.Simulcast = &wire.Simulcast{PreferredRid: &rid}
		lenient.Simulcast = &wire.Simulcast{PreferredRid: &rid, RidNotAvailable: "asciibetical"}
		id := b.newSession()
		held := b.beginPull(t.Context(), id, strict, lenient)
		b.pass(8200*time.Millisecond - 1)
		if held.over() {
			t.Fatalf("answered early: %+v, %v", held.out, held.err)
		}
		b.pass(1)
		if !held.over() || held.err != nil {
			t.Fatalf("over %v, %v", held.over(), held.err)
		}
		wantItems(t, held.out.Tracks, "empty_track_error cam", "0 cam")
		if held.out.Tracks[1].Simulcast != lenient.Simulcast {
			t.Errorf("echoed is %+v", held.out.Tracks[1].Simulcast)
		}
		if why := held.out.Explanations(); len(why) != 1 || !strings.HasPrefix(why[0], "TRK-4: ") {
			t.Errorf("explained as %q", why)
		}
		if got := b.peer(id).subs["0"].want; got != (sfu.Selection{PreferredRID: "q", FallOnMissing: true}) {
			t.Errorf("the SFU is asked for %+v", got)
		}
	})
}

func TestPullOfATrackThatHasStoppedWaits(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.publisher("cam")
		pub := b.peer(publisher).pubs["0"]
		b.pass(2 * time.Second)
		quick := b.beginPull(t.Context(), b.newSession(), remote(publisher, "cam"))
		if !quick.over() {
			t.Fatal("a pause of two seconds is silence")
		}
		b.pass(time.Millisecond)
		held := b.beginPull(t.Context(), b.newSession(), remote(publisher, "cam"))
		b.pass(8 * time.Second)
		if held.over() {
			t.Fatalf("answered early: %+v, %v", held.out, held.err)
		}
		pub.send()
		synctest.Wait()
		if !held.over() || held.err != nil || held.out.Tracks[0].Mid != "0" {
			t.Errorf("over %v: %+v, %v", held.over(), held.out, held.err)
		}
	})
}

func TestExplanationOfATrackThatIsNotFoundSaysWhatBecameOfIt(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam", "mic", "screen")
		if _, err := b.closeTracks(id, "", "2"); err != nil {
			t.Fatal(err)
		}
		b.pass(29 * time.Second)
		b.peer(id).pubs["1"].send()
		b.pass(time.Second)
		out, err := b.pull(t.Context(), b.newSession(), remote("none", "cam"), remote(id, "cam"), remote(id, "screen"), remote(id, "other"))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{`never had a session "none"`, "for 30s and was collected", `"screen" of session ` + id + " was closed", `"other", only ["mic"]`} {
			if why := out.Explanations()[i]; !strings.HasPrefix(why, fmt.Sprintf("TRK-1: tracks[%d]: ", i)) || !strings.Contains(why, want) || len(why) > 300 {
				t.Errorf("explained as %q, want %s", why, want)
			}
		}
	})
}

func TestCausesOfAPullThatFindsNothingAreToldApart(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		connected, connecting := b.publisher("cam"), b.negotiating()
		b.pass(3 * time.Second)
		held := b.beginPull(t.Context(), b.newSession(),
			remote(connected, "none"), remote(connecting, "first"), remote(connected, "cam"))
		b.pass(8200 * time.Millisecond)
		if !held.over() || held.err != nil {
			t.Fatalf("over %v, %v", held.over(), held.err)
		}
		why := held.out.Explanations()
		for i, want := range []string{"TRK-1: ", "TRK-2: ", "TRK-3: "} {
			if !strings.HasPrefix(why[i], want) {
				t.Errorf("explained as %q, want %s", why[i], want)
			}
		}
		if !strings.Contains(why[2], "for 11.2s") || !strings.Contains(why[2], connected) {
			t.Errorf("explained as %q", why[2])
		}
	})
}
