package conformance

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// Bodies of the calls about adapters (contract 5.1, 5.2).
type adaptersBody struct {
	Tracks []adapterItem `json:"tracks"`
}

type adapterItem struct {
	Location    string `json:"location,omitempty"`
	SessionID   string `json:"sessionId,omitempty"`
	TrackName   string `json:"trackName,omitempty"`
	Endpoint    string `json:"endpoint,omitempty"`
	InputCodec  string `json:"inputCodec,omitempty"`
	OutputCodec string `json:"outputCodec,omitempty"`
	Mode        string `json:"mode,omitempty"`
}

type closeAdaptersBody struct {
	Tracks []closeAdapterItem `json:"tracks"`
}

type closeAdapterItem struct {
	AdapterID string `json:"adapterId,omitempty"`
}

// ingestItem is an adapter that plays what comes as the track "speech".
func ingestItem(url string) adapterItem {
	return adapterItem{Location: "local", TrackName: "speech", Endpoint: url, InputCodec: "pcm"}
}

func egressItem(sessionID, name, url, codec string) adapterItem {
	return adapterItem{Location: "remote", SessionID: sessionID, TrackName: name, Endpoint: url, OutputCodec: codec}
}

func (t *T) newAdapters(ctx context.Context, items ...adapterItem) *exchange {
	return t.do(ctx, call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{items}})
}

// adapter ends the case unless the adapter is made; it is closed at the end of the case.
func (t *T) adapter(ctx context.Context, item adapterItem) answerItem {
	x := t.newAdapters(ctx, item)
	if x.Status == http.StatusServiceUnavailable { // the publisher may have been announced before its first packet
		t.eventually(ctx, "the adapter is made", func() bool {
			x = t.newAdapters(ctx, item)
			return x.Status == http.StatusOK
		})
	}
	got := x.want(http.StatusOK).item(0)
	t.Cleanup(func() {
		ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		t.closeAdapters(ending, got.AdapterID)
	})
	return got
}

func (t *T) closeAdapters(ctx context.Context, ids ...string) *exchange {
	body := closeAdaptersBody{}
	for _, id := range ids {
		body.Tracks = append(body.Tracks, closeAdapterItem{id})
	}
	return t.do(ctx, call{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: body})
}

func adapterCases() []Case {
	ops := []string{"newAdapters"}
	return []Case{
		{
			ID: "adapters/refused", Sentence: "Adapters of a wrong number or with wrong values are refused with 406 invalid_params.",
			Section: "5.1, 5.2, 6", Mark: Doc, Operations: []string{"newAdapters", "closeAdapters"},
			Codes: []string{"invalid_params/406 no tracks", "invalid_params/406 five adapters", "invalid_params/406 adapter"},
			Run:   adaptersRefused,
		},
		{
			ID: "adapters/undecodable", Sentence: "A body about adapters that cannot be decoded is 400 with its own text.",
			Section: "5.1", Mark: Doc, Operations: ops, Codes: []string{"decoding_error/400 adapters"}, Run: adaptersUndecodable,
		},
		{
			ID: "adapters/no-source", Sentence: "A remote adapter of a track that is not there fails, and with it the request: 503 with the item.",
			Section: "5.1, 1.2", Mark: Recorded, Operations: ops, Needs: []Need{Endpoints}, Codes: []string{"not_found_track_error adapter"},
			Run: adaptersNoSource,
		},
		{
			ID: "adapters/handshake", Sentence: "An endpoint that refuses the WebSocket, or redirects, is websocket_handshake_failed; it is told nothing but the URL.",
			Section: "5.1", Mark: Doc, Operations: ops, Needs: []Need{Endpoints}, Codes: []string{"websocket_handshake_failed"}, Run: adaptersHandshake,
		},
		{
			ID: "adapters/timeout", Sentence: "An endpoint that does not answer the handshake is websocket_connection_timeout.",
			Section: "5.1, 10 Q40", Mark: Inferred, Operations: ops, Needs: []Need{Endpoints}, Codes: []string{"websocket_connection_timeout"},
			Run: adaptersTimeout,
		},
		{
			ID: "adapters/localhost", Sentence: "Endpoints on the service's own machine are refused.",
			Section: "5.1", Mark: Doc, Operations: ops, Needs: []Need{SeededApps}, Codes: []string{"websocket_localhost_not_allowed"}, Run: adaptersLocalhost,
		},
		{
			ID: "adapters/partial", Sentence: "Items succeed and fail one by one, in their order; one success makes it a 200.",
			Section: "0.3, 5.1", Mark: Doc, Operations: ops, Needs: []Need{Endpoints}, Codes: []string{"not_found_track_error adapter"}, Run: adaptersPartial,
		},
		{
			ID: "adapters/codec", Sentence: "A track that cannot be converted to the output codec fails.",
			Section: "5.1, 5.3, 10 Q43", Mark: Inferred, EmulatorOnly: true, Operations: ops, Needs: []Need{Endpoints}, Codes: []string{"track_error adapter"},
			Run: adaptersCodec,
		},
	}
}

func adaptersRefused(ctx context.Context, t *T) {
	good := ingestItem("wss://endpoint.invalid/x")
	with := func(change func(*adapterItem)) adapterItem { item := good; change(&item); return item }
	refused := func(row, why string, items ...adapterItem) {
		t.do(ctx, call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{items}, Malformed: why}).wantError(row)
	}
	refused("invalid_params/406 no tracks", "no item")
	refused("invalid_params/406 five adapters", "five items", good, good, good, good, good)
	for why, item := range inOrder(map[string]adapterItem{
		"another scheme":      with(func(i *adapterItem) { i.Endpoint = "https://endpoint.invalid/x" }),
		"no endpoint":         with(func(i *adapterItem) { i.Endpoint = "" }),
		"no host":             with(func(i *adapterItem) { i.Endpoint = "wss://" }),
		"no location":         with(func(i *adapterItem) { i.Location = "" }),
		"no name":             with(func(i *adapterItem) { i.TrackName = "" }),
		"no input codec":      with(func(i *adapterItem) { i.InputCodec = "" }),
		"another input codec": with(func(i *adapterItem) { i.InputCodec = "opus" }),
		"no session":          egressItem("", "cam", good.Endpoint, "jpeg"),
		"no output codec":     egressItem("s", "cam", good.Endpoint, ""),
		"another codec":       egressItem("s", "cam", good.Endpoint, "png"),
	}) {
		refused("invalid_params/406 adapter", why, item)
	}
	for why, ids := range inOrder(map[string][]string{"no adapter": nil, "five adapters": {"a", "b", "c", "d", "e"}, "no id": {""}}) {
		body := closeAdaptersBody{Tracks: []closeAdapterItem{}}
		for _, id := range ids {
			body.Tracks = append(body.Tracks, closeAdapterItem{id})
		}
		t.do(ctx, call{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: body, Malformed: why}).wantError("invalid_params/406 adapter")
	}
}

func adaptersUndecodable(ctx context.Context, t *T) {
	for why, body := range inOrder(map[string]string{
		"not JSON": `{"tracks":[`, "tracks is text": `{"tracks":"x"}`, "a number for a name": `{"tracks":[{"location":"local","trackName":5}]}`,
	}) {
		t.do(ctx, call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: body, Malformed: why}).wantError("decoding_error/400 adapters")
	}
}

func adaptersNoSource(ctx context.Context, t *T) {
	e := t.endpoint()
	pub := t.client(ctx, sfutest.Config{})
	for _, id := range []string{pub.ID, strings.Repeat("0", 32)} {
		x := t.newAdapters(ctx, egressItem(id, "nothing", e.url, "pcm")).want(http.StatusServiceUnavailable)
		x.wantItemError(0, "not_found_track_error adapter").wantItemFields(0, "trackName", "errorCode", "errorDescription")
	}
}

func adaptersHandshake(ctx context.Context, t *T) {
	e := t.endpoint()
	for _, status := range []int{http.StatusForbidden, http.StatusOK} {
		e.refuseWith(status)
		t.newAdapters(ctx, ingestItem(e.url)).want(http.StatusServiceUnavailable).wantItemError(0, "websocket_handshake_failed")
	}
	elsewhere := t.endpoint()
	e.refuseWith(http.StatusFound, "Location", strings.Replace(elsewhere.url, "ws", "http", 1))
	t.newAdapters(ctx, ingestItem(e.url)).want(http.StatusServiceUnavailable).wantItemError(0, "websocket_handshake_failed")
	if n := len(elsewhere.called()); n != 0 {
		t.Errorf("the redirect was followed")
	}
	e.refuseWith(0)
	t.adapter(ctx, ingestItem(e.url))
	e.socket(ctx)
	calls := e.called()
	last := calls[len(calls)-1]
	for _, name := range []string{"Authorization", "Cookie", "Origin", "Sec-Websocket-Protocol"} {
		if v := last.Header.Get(name); v != "" {
			t.Errorf("the handshake has the header %s", name)
		}
	}
	if !strings.HasSuffix(e.url, last.URL.RequestURI()) {
		t.Errorf("the handshake asks for %s, the endpoint is %s", last.URL.RequestURI(), e.url)
	}
}

func adaptersTimeout(ctx context.Context, t *T) {
	e := t.endpoint()
	stalled, end := context.WithCancel(ctx)
	t.Cleanup(end)
	e.stall(stalled)
	x := t.newAdapters(ctx, ingestItem(e.url)).want(http.StatusServiceUnavailable)
	x.wantItemError(0, "websocket_connection_timeout")
}

func adaptersLocalhost(ctx context.Context, t *T) {
	for _, host := range []string{"localhost:9", "127.0.0.1:9", "[::1]:9"} {
		x := t.newAdapters(ctx, ingestItem("ws://"+host+"/x")).want(http.StatusServiceUnavailable)
		x.wantItemError(0, "websocket_localhost_not_allowed")
	}
}

func adaptersPartial(ctx context.Context, t *T) {
	e := t.endpoint()
	nobody := egressItem(strings.Repeat("0", 32), "cam", e.url, "jpeg")
	x := t.newAdapters(ctx, nobody, ingestItem(e.url), nobody).want(http.StatusOK)
	x.wantItemError(0, "not_found_track_error adapter").wantItemError(2, "not_found_track_error adapter")
	x.wantItemFields(1, "trackName", "adapterId", "sessionId", "endpoint")
	made := x.item(1)
	if made.TrackName != "speech" || made.Endpoint != e.url || !sessionIDs.MatchString(made.AdapterID) || !sessionIDs.MatchString(made.SessionID) {
		t.Errorf("the item is %+v", made)
	}
	t.closeAdapters(ctx, made.AdapterID).want(http.StatusOK)
}

func adaptersCodec(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), named{"phone", sfutest.Track{Codec: sfutest.PCMU}},
		named{"film", sfutest.Track{Codec: sfutest.AV1}})
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"), remote(pub.ID, "phone"), remote(pub.ID, "film"))
	for i, name := range []string{"mic", "cam", "phone", "film"} {
		t.flows(ctx, name, subs[i], 5)
	}
	for _, item := range []adapterItem{
		egressItem(pub.ID, "mic", e.url, "jpeg"), egressItem(pub.ID, "cam", e.url, "pcm"), egressItem(pub.ID, "phone", e.url, "pcm"),
		egressItem(pub.ID, "film", e.url, "jpeg"),
	} {
		t.newAdapters(ctx, item).want(http.StatusServiceUnavailable).wantItemError(0, "track_error adapter")
	}
	if n := len(e.called()); n != 0 {
		t.Errorf("the endpoint was called %d times", n)
	}
}
