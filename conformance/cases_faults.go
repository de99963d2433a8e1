package conformance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// faultRule is what POST /_emu/faults takes.
type faultRule struct {
	App       string `json:"app,omitempty"`
	Key       string `json:"key,omitempty"`
	Account   string `json:"account,omitempty"`
	Operation string `json:"operation"`
	Code      string `json:"code"`
	Status    int    `json:"status,omitempty"`
	Subcode   string `json:"subcode,omitempty"`
	Item      *int   `json:"item,omitempty"`
	Count     int    `json:"count"`
}

// troubles are the errors that nothing which a client does should provoke (contract 1.2), with the status of a whole call.
var troubles = []struct {
	row, code string
	status    int
}{
	{"internal_error/500", "internal_error", http.StatusInternalServerError},
	{"retryable_transient_error/503", "retryable_transient_error", http.StatusServiceUnavailable},
	{"temporarily_unavailable_error/503", "temporarily_unavailable_error", http.StatusServiceUnavailable},
	{"transport_unavailable_error/503", "transport_unavailable_error", http.StatusServiceUnavailable},
	{"backend_error/503", "backend_error", http.StatusServiceUnavailable},
	{"retryable_transient_error/429", "retryable_transient_error", http.StatusTooManyRequests},
	{"signaling_state_not_stable/406", "signaling_state_not_stable", http.StatusNotAcceptable},
	{"signaling_state_not_stable/409", "signaling_state_not_stable", http.StatusConflict},
}

// subcodes stand beside signaling_state_not_stable for a client that reads them.
var subcodes = []string{
	"invalid_modification_have_local_offer", "invalid_modification_have_remote_offer", "invalid_modification_have_local_pranswer",
	"invalid_modification_have_remote_pranswer", "invalid_modification_stable",
}

// faulty is one operation with what can be made to go wrong there.
type faulty struct {
	operation string
	partly    bool // items alone, the first of which succeeds: a case of its own
	needs     []Need
	calls     func(ctx context.Context, c *client) call // one request whose items would fail or succeed by themselves
	but       []int                                     // statuses of troubles that it does not document
	item      string                                    // tracks or dataChannels; empty for an operation without items
	own       []string                                  // codes of items beside those of troubles
	inFirst   bool                                      // as the first exchange of a session, else when that is connected
}

var faultyOperations = []faulty{
	{operation: "newSession", but: []int{406, 409}, calls: func(context.Context, *client) call {
		return call{Method: http.MethodPost, Path: "/sessions/new"}
	}},
	{operation: "getSession", but: []int{406, 409}, calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodGet, Path: c.path("")}
	}},
	{operation: "newTracks", item: "tracks", own: []string{"track_error"}, calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPost, Path: c.path("/tracks/new"), Body: tracksBody{Tracks: []trackItem{remote(nobody, "a"), remote(nobody, "b")}}}
	}},
	{operation: "updateTracks", item: "tracks", calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPut, Path: c.path("/tracks/update"), Body: updateBody{[]trackItem{{Mid: "0"}, {Mid: "1"}}}}
	}},
	{operation: "closeTracks", item: "tracks", calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPut, Path: c.path("/tracks/close"), Body: closeBody{Tracks: mids("8", "9"), Force: true}}
	}},
	{operation: "renegotiate", calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPut, Path: c.path("/renegotiate"), Body: renegotiateBody{answerOf("v=0\r\na=ice-ufrag:none\r\n")}}
	}},
	{operation: "establishDataChannels", inFirst: true, calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPost, Path: c.path("/datachannels/establish"), Body: establishBody{DataChannel: serverEvents()}}
	}},
	{operation: "newDataChannels", item: "dataChannels", own: []string{"repeated_local_track_error"}, calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPost, Path: c.path("/datachannels/new"), Body: channelsBody{[]channelRow{remoteChannel(nobody, "a"), remoteChannel(nobody, "b")}}}
	}},
	{operation: "updateDataChannels", item: "dataChannels", calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPut, Path: c.path("/datachannels/update"), Body: channelsBody{[]channelRow{remoteChannel(nobody, "a"), remoteChannel(nobody, "b")}}}
	}},
	{operation: "closeDataChannels", item: "dataChannels", calls: func(_ context.Context, c *client) call {
		return call{Method: http.MethodPut, Path: c.path("/datachannels/close"), Body: channelsBody{channelIDs(8, 9)}}
	}},
	{operation: "newAdapters", item: "tracks", but: []int{406, 409, 429}, calls: func(_ context.Context, c *client) call {
		item := egressItem(nobody, "a", "ws://127.0.0.1:9/x", "pcm")
		return call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{[]adapterItem{item, item}}}
	}},
	{operation: "closeAdapters", item: "tracks", but: []int{406, 409, 429}, calls: func(context.Context, *client) call {
		return call{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: closeAdaptersBody{[]closeAdapterItem{{nobody}, {nobody}}}}
	}},
	{
		operation: "newAdapters", partly: true, needs: []Need{Endpoints}, item: "tracks",
		own: []string{"track_error", "websocket_localhost_not_allowed", "websocket_handshake_failed", "websocket_connection_timeout"},
		calls: func(_ context.Context, c *client) call {
			item := ingestItem(c.t.endpoint().url)
			return call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{[]adapterItem{item, item}}}
		},
	},
	{
		operation: "closeAdapters", partly: true, needs: []Need{Endpoints}, item: "tracks",
		calls: func(ctx context.Context, c *client) call {
			made := c.t.adapter(ctx, ingestItem(c.t.endpoint().url))
			return call{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: closeAdaptersBody{[]closeAdapterItem{{made.AdapterID}, {nobody}}}}
		},
	},
}

// faultCases make happen what clients have code for and the emulator never does by itself.
func faultCases() (cases []Case) {
	for _, f := range faultyOperations {
		c := Case{
			ID: "fault/" + f.operation, Sentence: "At " + f.operation + " every error that clients have code for can be made to happen, and has its documented form.",
			Section: "1.2", Mark: Inferred, EmulatorOnly: true, Needs: append([]Need{OpenApps}, f.needs...), Operations: []string{f.operation},
			Run: func(ctx context.Context, t *T) { t.fault(ctx, f) },
		}
		if f.partly {
			c.ID += "-partly"
			c.Sentence = "At " + f.operation + " one item can fail with every error that clients have code for, and the others succeed."
		}
		for _, trouble := range troubles {
			if !f.partly && !slices.Contains(f.but, trouble.status) {
				c.Codes = append(c.Codes, trouble.row)
			}
		}
		cases = append(cases, c)
	}
	return cases
}

// fault works in an app of its own, so that its rules hit nobody else.
func (t *T) fault(ctx context.Context, f faulty) {
	t.target.AppID, t.target.Secret = randomHex(), "any"
	var c *client
	if f.inFirst {
		c = t.client(ctx, sfutest.Config{})
	} else {
		c = t.dataClient(ctx)
	}
	for _, trouble := range troubles {
		if f.partly || slices.Contains(f.but, trouble.status) {
			continue
		}
		t.control(ctx, http.MethodPost, "/_emu/faults", faultRule{App: t.target.AppID, Operation: f.operation, Code: trouble.code, Status: trouble.status, Count: 1})
		t.do(ctx, f.calls(ctx, c)).wantError(trouble.row).wantFields("errorCode", "errorDescription")
	}
	if !f.partly && !slices.Contains(f.but, http.StatusNotAcceptable) {
		t.faultSubcodes(ctx, f, c)
	}
	if f.item != "" {
		t.faultItems(ctx, f, c)
	}
}

// faultSubcodes has an overlap told in more detail.
func (t *T) faultSubcodes(ctx context.Context, f faulty, c *client) {
	const code = "signaling_state_not_stable"
	for _, status := range []int{http.StatusNotAcceptable, http.StatusConflict} {
		for _, subcode := range subcodes {
			t.control(ctx, http.MethodPost, "/_emu/faults", faultRule{App: t.target.AppID, Operation: f.operation, Code: code, Status: status, Subcode: subcode, Count: 1})
			x := t.do(ctx, f.calls(ctx, c)).want(status).wantFields("errorCode", "errorDescription", "errorSubcode")
			var body struct{ ErrorCode, ErrorSubcode string }
			if t.Must(json.Unmarshal(x.Raw, &body)); body.ErrorCode != code || body.ErrorSubcode != subcode {
				t.Errorf("%s: %s with %q, want %s with %s (contract 1.2): %s", x, body.ErrorCode, body.ErrorSubcode, code, subcode, short(x.Raw))
			}
		}
	}
}

// faultItems fails the second of two items and leaves the first alone.
func (t *T) faultItems(ctx context.Context, f faulty, c *client) {
	second := 1
	own := f.own
	for _, trouble := range troubles[:5] {
		own = append(own, trouble.code)
	}
	for _, code := range own {
		t.control(ctx, http.MethodPost, "/_emu/faults", faultRule{App: t.target.AppID, Operation: f.operation, Code: code, Item: &second, Count: 1})
		x := t.do(ctx, f.calls(ctx, c))
		codes := make([]string, 0, 2)
		for _, item := range x.Body.Tracks {
			codes = append(codes, item.ErrorCode)
		}
		for _, item := range x.Body.DataChannels {
			codes = append(codes, item.ErrorCode)
		}
		if len(codes) != 2 || codes[0] == code || codes[1] != code {
			t.Errorf("%s: items fail with %q, want %s for the second alone (contract 1.2): %s", x, codes, code, short(x.Raw))
		}
	}
}

func randomHex() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
