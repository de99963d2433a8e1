package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func adapterLifeCases() []Case {
	ops := []string{"newAdapters"}
	both := []string{"newAdapters", "closeAdapters"}
	needs := []Need{Endpoints}
	return []Case{
		{
			ID: "adapters/close", Sentence: "Closing an adapter ends its socket; closing it again succeeds, and an id that never was is adapter_not_found.",
			Section: "5.2", Mark: Doc, Operations: both, Needs: needs, Codes: []string{"adapter_not_found"}, Run: adaptersClose,
		},
		{
			ID: "adapters/close-ingest", Sentence: "The session of a closed local adapter is gone, and its track cannot be pulled.",
			Section: "5.2, 5.3", Mark: Inferred, Operations: both, Needs: needs, Codes: []string{"not_found_track_error", "session_error/410"}, Run: adaptersCloseIngest,
		},
		{
			ID: "adapters/reconnect", Sentence: "A lost egress socket is made anew, to the same URL.",
			Section: "5.4", Mark: Doc, Operations: ops, Needs: needs, Run: adaptersReconnect,
		},
		{
			ID: "adapters/reconnect-window", Sentence: "When an egress socket cannot be made anew for 15 s the adapter is closed.",
			Section: "5.4, 6", Mark: Doc, Operations: both, Needs: needs, Slow: 16 * time.Second, Run: adaptersWindow,
		},
		{
			ID: "adapters/ingest-once", Sentence: "A lost ingest socket is never made anew; the track ends.",
			Section: "5.4", Mark: Doc, Operations: ops, Needs: needs, Codes: []string{"not_found_track_error"}, Run: adaptersIngestOnce,
		},
		{
			ID: "adapters/source-ended", Sentence: "When the track of an egress adapter ends, its socket is closed.",
			Section: "5.4", Mark: Inferred, Operations: ops, Needs: needs, Run: adaptersSourceEnded,
		},
		{
			ID: "adapters/too-large", Sentence: "A message to ingest of more than 32 KB ends the socket; one of 32 KB does not.",
			Section: "5.3, 6", Mark: Inferred, Operations: ops, Needs: needs, Run: adaptersTooLarge,
		},
		{
			ID: "adapters/silent-ingest", Sentence: "The track of an ingest adapter can be pulled although its endpoint has sent nothing for long.",
			Section: "5.3, 10 Q42", Mark: Inferred, Operations: ops, Needs: needs, Slow: 65 * time.Second, Run: adaptersSilentIngest,
		},
	}
}

func adaptersClose(ctx context.Context, t *T) {
	e := t.endpoint()
	made := t.newAdapters(ctx, ingestItem(e.url)).want(http.StatusOK).item(0)
	s := e.socket(ctx)
	ended := make(chan websocket.StatusCode, 1)
	go func() { ended <- s.ends(ctx) }()
	t.closeAdapters(ctx, made.AdapterID).want(http.StatusOK).wantItemFields(0, "adapterId", "bytesProcessed")
	if code := <-ended; code != websocket.StatusNormalClosure {
		t.Errorf("the socket ends with code %d", code)
	}
	t.closeAdapters(ctx, made.AdapterID).want(http.StatusOK).wantItemFields(0, "adapterId")
	never := "00000000000000000000000000000000"
	t.closeAdapters(ctx, never).want(http.StatusServiceUnavailable).wantItemError(0, "adapter_not_found").
		wantItemFields(0, "adapterId", "errorCode", "errorDescription")
	t.closeAdapters(ctx, never, made.AdapterID).want(http.StatusOK).wantItemError(0, "adapter_not_found")
}

func adaptersCloseIngest(ctx context.Context, t *T) {
	e := t.endpoint()
	made := t.newAdapters(ctx, ingestItem(e.url)).want(http.StatusOK).item(0)
	go e.socket(ctx).ends(ctx)
	t.closeAdapters(ctx, made.AdapterID).want(http.StatusOK)
	t.sessionEnds(ctx, made.SessionID)
	t.do(ctx, call{Method: http.MethodGet, Path: "/sessions/" + made.SessionID}).wantError("session_error/410")
	c := t.client(ctx, sfutest.Config{})
	c.requestPull(ctx, remote(made.SessionID, "speech")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
}

// sessionEnds waits until a session is gone.
func (t *T) sessionEnds(ctx context.Context, id string) {
	t.eventually(ctx, "the session is gone", func() bool {
		return t.do(ctx, call{Method: http.MethodGet, Path: "/sessions/" + id}).Status == http.StatusGone
	})
}

func adaptersReconnect(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
	s := e.socket(ctx)
	before := t.mustNext(ctx, s)
	_ = s.conn.Close(websocket.StatusNormalClosure, "Superseded by newer subscriber")
	after := t.mustNext(ctx, e.socket(ctx))
	if int32(after.timestamp-before.timestamp) <= 0 {
		t.Errorf("the packet after the gap is of %d, the one before of %d", after.timestamp, before.timestamp)
	}
	calls := e.called()
	if first, second := calls[len(calls)-2], calls[len(calls)-1]; first.RequestURI != second.RequestURI {
		t.Errorf("the second socket goes to %s, the first went to %s", second.RequestURI, first.RequestURI)
	}
}

func adaptersWindow(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	made := t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
	s := e.socket(ctx)
	t.mustNext(ctx, s)
	e.refuseWith(http.StatusServiceUnavailable)
	calls := len(e.called())
	_ = s.conn.CloseNow()
	t.eventually(ctx, "the endpoint is called again", func() bool { return len(e.called()) > calls })
	t.pass(ctx, 10*time.Second)
	calls = len(e.called())
	t.eventually(ctx, "the endpoint is called after 10 s", func() bool { return len(e.called()) > calls })
	t.passUntil(ctx, "the adapter is closed", 6*time.Second, func() bool {
		x := t.closeAdapters(ctx, made.AdapterID).want(http.StatusOK)
		return x.item(0).BytesProcessed == nil // closed before
	})
	calls = len(e.called())
	e.refuseWith(0)
	c := t.client(ctx, sfutest.Config{}) // anything that takes a moment
	c.pull(ctx, remote(pub.ID, "mic"))
	if n := len(e.called()); n != calls {
		t.Errorf("the endpoint is called after the window")
	}
}

func adaptersIngestOnce(ctx context.Context, t *T) {
	e := t.endpoint()
	made := t.newAdapters(ctx, ingestItem(e.url)).want(http.StatusOK).item(0)
	_ = e.socket(ctx).conn.CloseNow()
	t.sessionEnds(ctx, made.SessionID)
	c := t.client(ctx, sfutest.Config{})
	c.requestPull(ctx, remote(made.SessionID, "speech")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
	if n := len(e.called()); n != 1 {
		t.Errorf("the endpoint was called %d times", n)
	}
}

func adaptersSourceEnded(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
	s := e.socket(ctx)
	t.mustNext(ctx, s)
	pub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK)
	if code := s.ends(ctx); code < websocket.StatusNormalClosure {
		t.Errorf("the socket ends without a close frame")
	}
}

func adaptersTooLarge(ctx context.Context, t *T) {
	e := t.endpoint()
	t.adapter(ctx, ingestItem(e.url))
	s := e.socket(ctx)
	const overhead = 4 // tag, and a length of three bytes
	t.Must(s.send(ctx, make([]byte, 32768-overhead)))
	t.Must(s.send(ctx, make([]byte, 100)))
	t.Must(s.send(ctx, make([]byte, 32768)))
	if code := s.ends(ctx); code == websocket.StatusNormalClosure {
		t.Errorf("the socket ends with code %d", code)
	}
}

func adaptersSilentIngest(ctx context.Context, t *T) {
	e := t.endpoint()
	made := t.adapter(ctx, ingestItem(e.url))
	s := e.socket(ctx)
	go func() { s.ends(ctx) }()
	t.pass(ctx, 65*time.Second)
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(made.SessionID, "speech"))
	_, err := subs[0].WaitMore(ctx, 20)
	t.Must(err)
}
