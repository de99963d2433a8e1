package conformance

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func hostileCases() []Case {
	return []Case{
		{
			ID: "hostile/requests", Sentence: "Malformed bodies, wrong methods, unknown ids and wrong secrets leave the media of other sessions alone.",
			Section: "1.0, 1.2", Mark: Inferred, Run: hostileRequests,
			Codes: []string{"unauthorized/401", "method_not_allowed/405", "decoding_error/400"},
		},
		{
			ID: "hostile/sdp", Sentence: "Garbage SDP leaves the media of other sessions alone.",
			Section: "1.3", Mark: Inferred, Run: hostileSDP, Codes: []string{
				rowUnparsable, rowLineEnd, rowNoUfrag,
			},
		},
		{
			ID: "hostile/huge-body", Sentence: "A body of 100 MB is refused and leaves the media of other sessions alone.",
			Section: "1.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"payload_too_large/413"}, Run: hostileHugeBody,
		},
		{
			ID: "hostile/vanished", Sentence: "Clients that vanish in the middle of a negotiation or of their media leave other sessions alone.",
			Section: "2.3", Mark: Inferred, Run: hostileVanished,
		},
	}
}

// beside runs the misdeeds while audio and video of another session flow, which must come whole all the way.
func (t *T) beside(ctx context.Context, misdeeds func()) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 10)
	}
	misdeeds()
	for i, s := range subs {
		sent := publishers[i].Stats().Packets
		got, err := s.Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.LastStamp.Packet >= sent })
		t.Must(err)
		t.checkWhole("the media of the other session", got)
	}
}

func hostileRequests(ctx context.Context, t *T) {
	t.beside(ctx, func() {
		for _, c := range everyCall() {
			c.Secret = "wrong"
			t.do(ctx, c).wantError("unauthorized/401")
			if c.Secret = ""; c.ofSession() && t.target.Emulator { // a service may let such a call hang (contract 1.7)
				t.do(ctx, c).wantError("session_error/410")
			}
		}
		path := "/sessions/" + t.newSession(ctx)
		t.refuseAll(ctx, http.MethodPost, path+"/tracks/new", "decoding_error/400", notObjects)
		t.refuseAll(ctx, http.MethodPut, path+"/tracks/close", "decoding_error/400", notObjects)
		t.refuseAll(ctx, http.MethodPut, path+"/renegotiate", "decoding_error/400", notObjects)
		for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch, "BREW"} {
			t.do(ctx, call{Method: method, Path: path + "/tracks/new", Unlisted: true}).wantError("method_not_allowed/405")
		}
		t.do(ctx, call{Method: http.MethodPost, Path: path + "/tracks/new", Malformed: "deep nesting",
			Body: strings.Repeat(`{"tracks":[`, 20000)}).wantError("decoding_error/400")
	})
}

func hostileSDP(ctx context.Context, t *T) {
	t.beside(ctx, func() {
		c := t.client(ctx, sfutest.Config{})
		body, _ := c.prepare(ctx, mic())
		good := body.SessionDescription.SDP
		for _, path := range []string{c.path("/tracks/new"), "/sessions/" + t.newSession(ctx) + "/tracks/new"} {
			t.refuseBadSDPs(ctx, good, func(sdp string) call {
				body.SessionDescription = offerOf(sdp)
				return call{Method: http.MethodPost, Path: path, Body: body}
			})
		}
	})
}

// junk gives n bytes of one JSON string that never ends.
func junk(n int64) io.Reader {
	return io.MultiReader(strings.NewReader(`{"x":"`), io.LimitReader(endless{}, n))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func hostileHugeBody(ctx context.Context, t *T) {
	path := "/sessions/" + t.newSession(ctx) + "/tracks/new"
	t.beside(ctx, func() {
		polite := call{Method: http.MethodPost, Path: path, Stream: junk(100 << 20), Header: map[string]string{"Expect": "100-continue"}}
		t.do(ctx, polite).wantError("payload_too_large/413")
		rude := call{Method: http.MethodPost, Path: path, Stream: junk(100 << 20)}
		if x, err := t.try(ctx, rude); err == nil {
			x.wantError("payload_too_large/413")
		} else {
			t.Logf("the connection ended while the body was being sent, which is an answer too: %v", err)
		}
	})
}

func hostileVanished(ctx context.Context, t *T) {
	t.beside(ctx, func() {
		source, _ := t.publish(ctx, sfutest.Config{}, cam())
		for range 3 {
			t.client(ctx, sfutest.Config{}).requestPull(ctx, remote(source.ID, "cam")).want(http.StatusOK) // never answered
			half := t.client(ctx, sfutest.Config{})
			body, _ := half.prepare(ctx, mic())
			half.postTracks(ctx, body).want(http.StatusOK) // answer never applied
			t.Must(half.Peer.Close())
		}
		gone, subs := t.subscribe(ctx, sfutest.Config{}, remote(source.ID, "cam"))
		t.flows(ctx, "cam", subs[0], 5)
		gone.requestPull(ctx, remote(source.ID, "cam")).want(http.StatusOK)
		gone.Peer.Vanish() // with an open offer
		source.Peer.Vanish()

		left, cancel := context.WithCancel(ctx)
		cancel() // the client is gone before the answer
		if _, err := t.try(left, call{Method: http.MethodPost, Path: "/sessions/new"}); err == nil {
			t.Errorf("a cancelled request was answered")
		}
	})
}
