package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func limitCases() []Case {
	return []Case{
		{
			ID: "limit/64-tracks", Sentence: "64 tracks in one call are taken.",
			Section: "6", Mark: Doc, Codes: []string{"not_found_track_error"}, Run: limitTracks,
		},
		{
			ID: "limit/65-tracks", Sentence: "65 tracks in one tracks/update are refused, as in tracks/new.",
			Section: "6", Mark: Inferred, EmulatorOnly: true, Codes: []string{"invalid_params/406 too many"}, Run: limitUpdate,
		},
		{
			ID: "limit/body", Sentence: "A body over the limit is refused by every call that takes one.",
			Section: "1.4, 6", Mark: Inferred, EmulatorOnly: true, Codes: []string{"payload_too_large/413"}, Run: limitBody,
		},
		{
			ID: "limit/rate", Sentence: "More than 50 requests in a second on one session are refused with 429; other sessions are not touched.",
			Section: "6, 9.3", Mark: Doc, EmulatorOnly: true, Needs: []Need{SeededApps}, Codes: []string{"retryable_transient_error/429"}, Run: limitRate,
		},
	}
}

func limitTracks(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	items := make([]trackItem, 64)
	for i := range items {
		items[i] = remote(nobody, fmt.Sprintf("t%d", i))
	}
	x := c.requestPull(ctx, items...).want(http.StatusOK)
	if len(x.Body.Tracks) != 64 {
		t.Errorf("%d items", len(x.Body.Tracks))
	}
	x.wantItemError(63, "not_found_track_error")
}

func limitUpdate(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	items := make([]trackItem, 65)
	for i := range items {
		items[i] = remote(nobody, "mic").into("0")
	}
	t.do(ctx, call{Method: http.MethodPut, Path: pub.path("/tracks/update"), Body: updateBody{items}, Malformed: "65 tracks"}).
		wantError("invalid_params/406 too many")
	pub.tryUpdate(ctx, items[:64]...)
}

func limitBody(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	t.limitPlainBody(ctx, pub)
	padded := offerOf(pub.offer(ctx) + strings.Repeat("a=x-pad:0123456789abcdef\r\n", 60_000))
	const tooLarge = "the schema knows no size of a body"
	for _, c := range []call{
		{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{padded}},
		{Method: http.MethodPost, Path: pub.path("/tracks/new"), Body: tracksBody{padded, []trackItem{local("0", "a")}}},
		{Method: http.MethodPut, Path: pub.path("/renegotiate"), Body: renegotiateBody{padded}},
		{Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: closeBody{mids("0"), padded, false}},
	} {
		c.Blind = tooLarge
		t.do(ctx, c).wantError("payload_too_large/413")
	}
	pub.state(ctx).want(http.StatusOK)
}

// limitPlainBody is limitBody for calls without SDP.
func (t *T) limitPlainBody(ctx context.Context, pub *client) {
	long := strings.Repeat("x", 1<<20)
	for _, c := range []call{
		{Method: http.MethodPut, Path: pub.path("/tracks/update"), Body: updateBody{[]trackItem{remote(pub.ID, long).into("0")}}},
		{Method: http.MethodPost, Path: pub.path("/datachannels/establish"), Body: map[string]any{"dataChannel": serverEvents(), "x": long}},
		{Method: http.MethodPost, Path: pub.path("/datachannels/new"), Body: channelsBody{[]channelRow{localChannel(long)}}},
		{Method: http.MethodPut, Path: pub.path("/datachannels/update"), Body: channelsBody{[]channelRow{remoteChannel(pub.ID, long)}}},
		{Method: http.MethodPut, Path: pub.path("/datachannels/close"), Body: map[string]any{"dataChannels": channelIDs(1), "x": long}},
		{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{[]adapterItem{ingestItem("wss://endpoint.invalid/" + long)}}},
		{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: closeAdaptersBody{[]closeAdapterItem{{long}}}},
	} {
		t.do(ctx, c).wantError("payload_too_large/413")
	}
	if !slices.Contains(t.target.Has, TURN) {
		return
	}
	for _, path := range []string{"/generate-ice-servers", "/generate"} {
		t.do(ctx, generate(path, credentialsBody{TTL: 60, CustomIdentifier: long})).wantError("payload_too_large/413")
	}
}

func limitRate(ctx context.Context, t *T) {
	c := &client{t: t, ID: t.newSession(ctx)}
	other := &client{t: t, ID: t.newSession(ctx)}
	refused := 0
	for range 150 {
		if x := c.state(ctx); x.Status == http.StatusTooManyRequests {
			x.wantError("retryable_transient_error/429").wantFields("errorCode", "errorDescription")
			refused++
		}
	}
	if refused == 0 || refused > 100 {
		t.Errorf("%d of 150 requests were refused", refused)
	}
	other.state(ctx).want(http.StatusOK)
	t.eventually(ctx, "the session is refused for ever", func() bool { return c.state(ctx).Status == http.StatusOK })
}
