package conformance

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func pullItemCases() []Case {
	return []Case{
		{
			ID: "pull/partial-failure", Sentence: "Failed items have an empty mid; the SFU's mids skip them.",
			Section: "1.3 G", Mark: Recorded, Codes: []string{"not_found_track_error"}, Run: pullPartial,
		},
		{
			ID: "pull/total-failure", Sentence: "If every item fails there is no SDP, and no exchange is open.",
			Section: "0.3, 1.3 H", Mark: Recorded, Codes: []string{"not_found_track_error"}, Run: pullTotal,
		},
		{
			ID: "pull/not-found-at-once", Sentence: "An unknown session or name fails at once.",
			Section: "1.3", Mark: Recorded, Codes: []string{"not_found_track_error"}, Run: pullNotFound,
		},
		{
			ID: "pull/closed", Sentence: "A track that was closed is not found.",
			Section: "1.6", Mark: Doc, Codes: []string{"not_found_track_error"}, Run: pullClosed,
		},
		{
			ID: "pull/simulcast-echo", Sentence: "The simulcast object of a pull is echoed, an empty preferredRid too.",
			Section: "1.3 B", Mark: Doc, Run: pullSimulcastEcho,
		},
	}
}

const nobody = "00000000000000000000000000000000"

func pullPartial(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(nobody, "mic"), remote(pub.ID, "cam"), remote(pub.ID, "none"), remote(pub.ID, "mic")).
		want(http.StatusOK).wantRenegotiation(true).
		wantItemError(0, "not_found_track_error").wantItemError(2, "not_found_track_error").
		wantItemFields(0, "mid", "sessionId", "trackName", "errorCode", "errorDescription").
		wantItemFields(1, "mid", "sessionId", "trackName")
	for i, want := range []answerItem{
		{SessionID: nobody, TrackName: "mic"}, {Mid: "0", SessionID: pub.ID, TrackName: "cam"},
		{SessionID: pub.ID, TrackName: "none"}, {Mid: "1", SessionID: pub.ID, TrackName: "mic"},
	} {
		got := x.item(i)
		if got.Mid != want.Mid || got.SessionID != want.SessionID || got.TrackName != want.TrackName {
			t.Errorf("item %d is %+v, want %+v", i, got, want)
		}
	}
	if parts := sdpParts(x.sdp("offer")); len(parts) != 3 {
		t.Errorf("the offer has %d sections, want those of the 2 successes", len(parts)-1)
	}
	sub.answer(ctx, x)
	t.flows(ctx, "cam", sub.Peer.Subscriber("0"), 5)
	t.flows(ctx, "mic", sub.Peer.Subscriber("1"), 5)
}

func pullTotal(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	sub.requestPull(ctx, remote(nobody, "mic"), remote(pub.ID, "none")).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks").
		wantItemError(0, "not_found_track_error").wantItemError(1, "not_found_track_error").
		wantItemFields(1, "mid", "sessionId", "trackName", "errorCode", "errorDescription")
	subs := sub.pull(ctx, remote(pub.ID, "mic"))
	if subs[0].Mid() != "0" {
		t.Errorf("the next pull got mid %q, want 0", subs[0].Mid())
	}
	t.flows(ctx, "mic", subs[0], 5)
}

func pullNotFound(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	for _, item := range []trackItem{remote(nobody, "mic"), remote("no session", "mic"), remote(pub.ID, "MIC"), remote(sub.ID, "mic")} {
		x := sub.requestPull(ctx, item).want(http.StatusOK).wantItemError(0, "not_found_track_error")
		t.between(x, 0, 3*time.Second)
		if got := x.item(0); got.SessionID != item.SessionID || got.TrackName != item.TrackName || got.Mid != "" {
			t.Errorf("item %+v, asked was %+v", got, item)
		}
	}
}

func pullClosed(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	pub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK)
	sub := t.client(ctx, sfutest.Config{})
	sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
	t.flows(ctx, "cam", sub.pull(ctx, remote(pub.ID, "cam"))[0], 5)
}

func pullSimulcastEcho(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam())
	for _, simulcast := range []string{`{"preferredRid":""}`, `{"preferredRid":"h","priorityOrdering":"asciibetical","ridNotAvailable":"none"}`} {
		sub := t.client(ctx, sfutest.Config{})
		x := sub.postTracks(ctx, `{"tracks":[{"location":"remote","sessionId":"`+pub.ID+`","trackName":"cam","simulcast":`+simulcast+`}]}`).
			want(http.StatusOK).wantItemFields(0, "mid", "sessionId", "trackName", "simulcast")
		if !strings.Contains(strings.ReplaceAll(string(x.Raw), " ", ""), `"simulcast":`+simulcast) {
			t.Errorf("simulcast %s is echoed as %s", simulcast, short(x.Raw))
		}
	}
}
