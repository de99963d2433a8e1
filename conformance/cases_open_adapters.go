package conformance

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openAdapterCases are the questions about WebSocket adapters.
func openAdapterCases() []Case {
	handshake := question(40, "handshake", "What does the adapter's handshake look like, how long may it take, and which endpoints are refused?", openHandshake).needing(Endpoints)
	ingest := question(42, "ingest", "What becomes of messages above 32 KB, of odd byte counts and of an underrun?", openIngest).needing(Endpoints)
	handshake.Within, ingest.Within = 2*time.Minute, 2*time.Minute
	return []Case{
		handshake,
		question(40, "addresses", "Which addresses of endpoints are refused, and with what?", openAddresses),
		question(41, "pcm-out", "Which frame size, clock and beginning do packets of PCM have?", openPCMOut).needing(Endpoints),
		question(41, "jpeg-out", "Which size, numbers and pace do packets of JPEG have?", openJPEGOut).needing(Endpoints),
		ingest,
		question(43, "codecs", "Which error has an adapter on a track that it cannot convert?", openAdapterCodecs).needing(Endpoints),
	}
}

func (t *T) seeAdapters(ctx context.Context, name string, items ...adapterItem) {
	x := t.see(ctx, name, call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{items}})
	t.Cleanup(func() {
		for _, item := range x.Body.Tracks {
			if item.AdapterID != "" {
				ending, cancel := context.WithTimeout(context.Background(), tidyQueue+tidyCall)
				defer cancel()
				_, _ = t.ask(ending, tidyCall, call{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: closeAdaptersBody{[]closeAdapterItem{{item.AdapterID}}}})
			}
		}
	})
}

func openHandshake(ctx context.Context, t *T) {
	e := t.endpoint()
	t.seeAdapters(ctx, "an endpoint that accepts", ingestItem(e.url))
	if calls := e.called(); len(calls) > 0 {
		header := calls[0].Header.Clone()
		for _, name := range slices.Sorted(maps.Keys(header)) {
			value := strings.Join(header[name], ", ")
			switch name {
			case "Sec-Websocket-Key":
				value = "(random)"
			case "X-Forwarded-For", "Cf-Connecting-Ip", "Cf-Ray":
				value = "(present)"
			}
			t.observe("header "+name, "%s", value)
		}
	}
	e.refuseWith(http.StatusForbidden)
	t.seeAdapters(ctx, "an endpoint that answers 403", ingestItem(e.url))
	t.seeAdapters(ctx, "two that fail, in order", egressItem(nobody, "mic", e.url, "pcm"), ingestItem(e.url))
	stalled, end := context.WithCancel(ctx)
	t.Cleanup(end)
	e.stall(stalled)
	x := t.seeAdapterWithin(ctx, "an endpoint that does not answer", 40*time.Second, ingestItem(e.url))
	t.Logf("after %s", x.Elapsed)
}

// seeAdapterWithin is for an endpoint that makes no adapter.
func (t *T) seeAdapterWithin(ctx context.Context, name string, limit time.Duration, item adapterItem) *exchange {
	return t.seeWithin(ctx, name, limit, call{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{[]adapterItem{item}}})
}

// openAddresses names addresses at which nobody listens.
func openAddresses(ctx context.Context, t *T) {
	for _, url := range []string{"ws://localhost:9/", "wss://localhost:9/", "ws://127.0.0.1:9/", "ws://[::1]:9/", "http://127.0.0.1:9/", "127.0.0.1:9", ""} {
		t.seeAdapters(ctx, "the endpoint "+orElse(url, "(empty)"), ingestItem(url))
	}
}

func openPCMOut(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
	s := e.socket(ctx)
	first := t.mustNext(ctx, s)
	last := first
	sizes, steps, stamps := map[int]bool{}, map[uint32]bool{}, map[uint32]bool{}
	for range 25 {
		p := t.mustNext(ctx, s)
		sizes[len(p.payload)], steps[p.sequence-last.sequence], stamps[p.timestamp-last.timestamp] = true, true, true
		last = p
	}
	t.observe("the first sequence number is 0", "%s", yesNo(first.sequence == 0))
	t.observe("the first timestamp is 0", "%s", yesNo(first.timestamp == 0))
	t.observe("bytes of a message", "%v", slices.Sorted(maps.Keys(sizes)))
	t.observe("steps of the sequence number", "%v", slices.Sorted(maps.Keys(steps)))
	t.observe("steps of the timestamp", "%v", slices.Sorted(maps.Keys(stamps)))
	t.Must(pub.Peer.Close())
	t.observe("with the end of its source the socket", "%s", s.fate(ctx, 8*time.Second))
}

func openJPEGOut(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, named{"cam", sfutest.Track{Codec: sfutest.VP8, Content: sfutest.VP8Card()}})
	t.adapter(ctx, egressItem(pub.ID, "cam", e.url, "jpeg"))
	s := e.socket(ctx)
	first := t.mustNext(ctx, s)
	begun := time.Now()
	second := t.mustNext(ctx, s)
	gap := time.Since(begun)
	t.observe("the sequence number is absent or 0", "%s", yesNo(first.sequence == 0 && second.sequence == 0))
	t.observe("the timestamp is absent or 0", "%s", yesNo(second.timestamp == 0))
	t.observe("pictures", "%s", TimeClass(gap)+" apart")
	if picture, err := jpeg.DecodeConfig(bytes.NewReader(second.payload)); err == nil {
		t.observe("a picture has", "%d x %d pixels", picture.Width, picture.Height)
	} else {
		t.observe("a picture has", "no form that can be decoded")
	}
}

// openIngest sends each pattern to an adapter of its own.
func openIngest(ctx context.Context, t *T) {
	for _, pattern := range []struct {
		name  string
		bytes []int
	}{
		{"16 KB", []int{16000}}, {"just below 32 KB", []int{32000}}, {"just above 32 KB", []int{33000}}, {"100 KB", []int{100_000}},
		{"an odd number of bytes", []int{1001}}, {"half a sample of stereo", []int{1002}}, {"nothing", []int{0}},
	} {
		e := t.endpoint()
		t.adapter(ctx, ingestItem(e.url))
		s := e.socket(ctx)
		for _, n := range pattern.bytes {
			t.Must(s.send(ctx, make([]byte, n)))
		}
		t.observe(pattern.name+": the socket", "%s", s.fate(ctx, 2*time.Second))
	}
	e := t.endpoint()
	item := t.adapter(ctx, ingestItem(e.url))
	s := e.socket(ctx)
	t.Must(s.send(ctx, make([]byte, 19200)))
	sub := t.client(ctx, sfutest.Config{})
	x := sub.seePull(ctx, "pull of what is played", remote(item.SessionID, "speech"))
	if len(x.Body.Tracks) == 1 && x.item(0).Mid != "" {
		sub.tryAnswer(ctx, "pull of what is played", x)
		t.observe("packets go on in an underrun", "%s", yesNo(t.flowsOn(ctx, sub.Peer.Subscriber(x.item(0).Mid))))
	}
}

// fate is whether the socket is closed within that time, and how.
func (s *socket) fate(ctx context.Context, within time.Duration) string {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	code := s.ends(limited)
	if limited.Err() != nil {
		return "stays open"
	}
	return fmt.Sprintf("is closed with code %d", code)
}

func openAdapterCodecs(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), named{"phone", sfutest.Track{Codec: sfutest.PCMU}}, named{"av1", sfutest.Track{Codec: sfutest.AV1}})
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"), remote(pub.ID, "phone"), remote(pub.ID, "av1"))
	for _, s := range subs {
		t.flows(ctx, "the track", s, 5)
	}
	t.seeAdapters(ctx, "pcm of PCMU", egressItem(pub.ID, "phone", e.url, "pcm"))
	t.seeAdapters(ctx, "pcm of video", egressItem(pub.ID, "cam", e.url, "pcm"))
	t.seeAdapters(ctx, "jpeg of audio", egressItem(pub.ID, "mic", e.url, "jpeg"))
	t.seeAdapters(ctx, "jpeg of AV1", egressItem(pub.ID, "av1", e.url, "jpeg"))
	t.seeAdapters(ctx, "an unknown output", egressItem(pub.ID, "mic", e.url, "mp3"))
}
