package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func pullCases() []Case {
	return []Case{
		{
			ID: "pull/shape", Sentence: "A pull is answered with the SFU's offer, mids from 0 in the order of the request.",
			Section: "0.3, 1.3 B, 2.2", Mark: Recorded, Operations: []string{"newTracks"}, Run: pullShape,
		},
		{
			ID: "pull/offer", Sentence: "The SFU's offer is ICE-lite, actpass, sendonly, with one announced SSRC per track.",
			Section: "3.1, 3.3", Mark: Recorded, Run: pullOffer,
		},
		{
			ID: "pull/several-publishers", Sentence: "One pull may name tracks of several publishers.",
			Section: "1.3", Mark: Doc, Run: pullSeveralPublishers,
		},
		{
			ID: "pull/batch", Sentence: "A batch of many pulls is one exchange.",
			Section: "2.4, 6", Mark: Seen, Run: pullBatch,
		},
		{
			ID: "pull/after-push", Sentence: "A session that pushed can pull; the SFU's mids count on from the client's.",
			Section: "2.2, 2.4", Mark: Doc, Run: pullAfterPush,
		},
		{
			ID: "pull/before-push", Sentence: "A session that pulled can push.",
			Section: "2.4", Mark: Doc, Run: pullBeforePush,
		},
		{
			ID: "pull/each-other", Sentence: "Two sessions pull from each other.",
			Section: "2.4", Mark: Seen, Run: pullEachOther,
		},
		{
			ID: "pull/repeated", Sentence: "Repeating a pull makes another section with the same track.",
			Section: "1.3", Mark: Doc, Run: pullRepeated,
		},
		{
			ID: "pull/growing", Sentence: "The SFU's offers are cumulative and leave running tracks alone.",
			Section: "2.2", Mark: Recorded, Run: pullGrowing,
		},
		{
			ID: "pull/several-subscribers", Sentence: "Several subscribers get the same track.",
			Section: "3.3", Mark: Doc, Run: pullSeveralSubscribers,
		},
	}
}

func pullShape(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "cam"), remote(pub.ID, "mic")).want(http.StatusOK).wantRenegotiation(true).
		wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription").
		wantItemFields(0, "mid", "sessionId", "trackName").wantItemFields(1, "mid", "sessionId", "trackName")
	for i, name := range []string{"cam", "mic"} {
		if got := x.item(i); got.Mid != strconv.Itoa(i) || got.SessionID != pub.ID || got.TrackName != name {
			t.Errorf("item %d has mid %q, sessionId %q and trackName %q, want %d, %q and %q (contract 1.3 B, 2.2)",
				i, got.Mid, got.SessionID, got.TrackName, i, pub.ID, name)
		}
	}
	sub.answer(ctx, x)
	if got := t.flows(ctx, "mid 0", sub.Peer.Subscriber("0"), 5); got.Codec != sfutest.VP8 {
		t.Errorf("mid 0 carries %s", got.Codec)
	}
	if got := t.flows(ctx, "mid 1", sub.Peer.Subscriber("1"), 5); got.Codec != sfutest.Opus {
		t.Errorf("mid 1 carries %s", got.Codec)
	}
}

func pullOffer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic"), remote(pub.ID, "cam")).want(http.StatusOK)
	parts := t.checkSDP("the offer", x.sdp("offer"))
	if len(parts) != 3 || !hasLine(parts[0], "a=group:BUNDLE 0 1") {
		t.Fatalf("the offer has %d sections:\n%s", len(parts)-1, parts[0])
	}
	for i, section := range parts[1:] {
		for _, line := range []string{"a=setup:actpass", "a=sendonly", "a=rtcp-mux", "a=mid:" + strconv.Itoa(i)} {
			if !hasLine(section, line) {
				t.Errorf("section %d lacks %s:\n%s", i, line, section)
			}
		}
		media := announcedSSRC(section)
		if media == "" || !strings.Contains(section, "a=ssrc:"+media+" msid:") {
			t.Errorf("section %d does not announce its SSRC with cname and msid:\n%s", i, section)
		}
	}
	if !strings.HasPrefix(parts[1], "m=audio 9 ") || !strings.HasPrefix(parts[2], "m=video 9 ") {
		t.Errorf("the sections are %q and %q", parts[1][:10], parts[2][:10])
	}
	if !slices.Contains(sdpLines(parts[1], "a=rtpmap:"), "111 opus/48000/2") || !slices.Contains(sdpLines(parts[2], "a=rtpmap:"), "96 VP8/90000") {
		t.Errorf("payload types are not those recorded:\n%s%s", parts[1], parts[2])
	}
	sub.answer(ctx, x)
	for i, section := range parts[1:] {
		got := t.flows(ctx, "the track", sub.Peer.Subscriber(strconv.Itoa(i)), 5)
		if announced := announcedSSRC(section); announced != fmt.Sprint(got.SSRCs[0]) {
			t.Errorf("section %d announces SSRC %s and sends %v", i, announced, got.SSRCs)
		}
	}
}

// announcedSSRC is the SSRC of the first cname line, which is the media's.
func announcedSSRC(section string) string {
	for _, line := range sdpLines(section, "a=ssrc:") {
		if ssrc, attribute, _ := strings.Cut(line, " "); strings.HasPrefix(attribute, "cname:") {
			return ssrc
		}
	}
	return ""
}

func pullSeveralPublishers(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, mic())
	b, fromB := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "mic"), remote(b.ID, "cam"), remote(b.ID, "mic"))
	for i, want := range []*sfutest.Publisher{fromA[0], fromB[1], fromB[0]} {
		if got := t.flows(ctx, "the track", subs[i], 5); got.Streams[0] != want.Stream() {
			t.Errorf("mid %d carries another publisher's track", i)
		}
	}
}

func pullBatch(ctx context.Context, t *T) {
	const n = 12
	tracks, items := make([]named, n), make([]trackItem, n)
	for i := range n {
		tracks[i] = named{"t" + strconv.Itoa(i), mic().Track}
	}
	pub, publishers := t.publish(ctx, sfutest.Config{}, tracks...)
	for i := range n {
		items[i] = remote(pub.ID, tracks[i].Name)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, items...)
	for i, s := range subs {
		if got := t.flows(ctx, tracks[i].Name, s, 5); s.Mid() != strconv.Itoa(i) || got.Streams[0] != publishers[i].Stream() {
			t.Errorf("track %d is on mid %s", i, s.Mid())
		}
	}
}

func pullAfterPush(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, cam())
	both, _ := t.publish(ctx, sfutest.Config{}, mic())
	subs := both.pull(ctx, remote(source.ID, "cam"))
	if subs[0].Mid() != "1" {
		t.Errorf("the pulled track got mid %q, want 1", subs[0].Mid())
	}
	t.flows(ctx, "pulled", subs[0], 10)
	_, others := t.subscribe(ctx, sfutest.Config{}, remote(both.ID, "mic"))
	t.flows(ctx, "pushed", others[0], 10)
}

func pullBeforePush(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, cam())
	both, subs := t.subscribe(ctx, sfutest.Config{}, remote(source.ID, "cam"))
	t.flows(ctx, "pulled", subs[0], 5)
	publishers := both.push(ctx, mic())
	if publishers[0].Mid() != "1" {
		t.Errorf("the pushed track has mid %q, want 1", publishers[0].Mid())
	}
	_, others := t.subscribe(ctx, sfutest.Config{}, remote(both.ID, "mic"))
	t.flows(ctx, "pushed", others[0], 10)
	t.flows(ctx, "pulled", subs[0], 10)
}

func pullEachOther(ctx context.Context, t *T) {
	a, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	b, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	atA := a.pull(ctx, remote(b.ID, "mic"), remote(b.ID, "cam"))
	atB := b.pull(ctx, remote(a.ID, "mic"), remote(a.ID, "cam"))
	for _, s := range slices.Concat(atA, atB) {
		t.flows(ctx, "a track of the other", s, 10)
	}
}

func pullRepeated(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic())
	sub, first := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	second := sub.pull(ctx, remote(pub.ID, "mic"))
	if second[0].Mid() != "1" {
		t.Errorf("the second pull got mid %q, want 1", second[0].Mid())
	}
	a, b := t.flows(ctx, "first", first[0], 5), t.flows(ctx, "second", second[0], 5)
	if a.Streams[0] != publishers[0].Stream() || b.Streams[0] != publishers[0].Stream() || a.SSRCs[0] == b.SSRCs[0] {
		t.Errorf("streams %v and %v, SSRCs %v and %v", a.Streams, b.Streams, a.SSRCs, b.SSRCs)
	}
}

func pullGrowing(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, first := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic before", first[0], 5)
	x := sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)
	parts := t.checkSDP("the second offer", x.sdp("offer"))
	if len(parts) != 3 || direction(parts[1]) != "sendonly" || direction(parts[2]) != "sendonly" {
		t.Errorf("the second offer is not cumulative:\n%s", x.sdp("offer"))
	}
	sub.answer(ctx, x)
	t.flows(ctx, "cam", sub.Peer.Subscriber("1"), 10)
	t.flows(ctx, "mic after", first[0], 10)
}

func pullSeveralSubscribers(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	for range 5 {
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
		for i, s := range subs {
			if got := t.flows(ctx, "the track", s, 10); got.Streams[0] != publishers[i].Stream() {
				t.Errorf("mid %d carries another track", i)
			}
		}
	}
}
