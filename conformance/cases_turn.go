package conformance

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"
	"github.com/pion/webrtc/v4"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func turnCases() []Case {
	return []Case{
		{
			ID: "turn/relay-udp", Sentence: "Endpoints that may only relay publish and pull through TURN over UDP.",
			Section: "7.1, 7.2", Mark: Doc, Needs: []Need{TURN}, Run: turnRelay("udp"),
		},
		{
			ID: "turn/relay-tcp", Sentence: "Endpoints that may only relay publish and pull through TURN over TCP.",
			Section: "7.1, 7.2", Mark: Doc, Needs: []Need{TURN}, Run: turnRelay("tcp"),
		},
		{
			ID: "turn/relay-tls", Sentence: "Endpoints that may only relay publish and pull through TURN over TLS.",
			Section: "7.1, 7.2", Mark: Doc, Needs: []Need{TURN, TURNOverTLS}, Run: turnRelay("tls"),
		},
		{
			ID: "turn/wrong", Sentence: "A wrong username or credential is unauthorized, over every transport.",
			Section: "7.2", Mark: Inferred, Needs: []Need{TURN, TURNOverTLS}, Run: turnWrong,
		},
		{
			ID: "turn/revoked", Sentence: "When its credential is revoked an allocation can no longer be refreshed and ends soon, and media with it.",
			Section: "7.2", Mark: Doc, Needs: []Need{TURN}, Run: turnRevoked,
		},
		{
			ID: "turn/expired", Sentence: "An allocation can be refreshed until its credential has expired, and ends soon after, and media with it.",
			Section: "6, 7.2, 7.3", Mark: Doc, Needs: []Need{TURN}, Slow: 61 * time.Second, Run: turnExpired,
		},
		{
			ID: "turn/many", Sentence: "One credential is good for many allocations at once, each with a relay of its own, which can be refreshed again and again.",
			Section: "6, 7.3", Mark: Inferred, Needs: []Need{TURN}, Run: turnMany,
		},
		{
			ID: "turn/family", Sentence: "A relay is UDP over IPv4, whatever family and transport are asked for.",
			Section: "7.2", Mark: Doc, Needs: []Need{TURN}, Run: turnFamily,
		},
		{
			ID: "turn/private", Sentence: "Peers on private addresses are refused, but for the SFU.",
			Section: "7.2", Mark: Doc, EmulatorOnly: true, Needs: []Need{TURN, SeededApps}, Run: turnPrivate,
		},
		{
			ID: "turn/open", Sentence: "In dev mode peers on private addresses are served.",
			Section: "7.2", Mark: Inferred, EmulatorOnly: true, Needs: []Need{TURN, OpenApps}, Run: turnOpen,
		},
	}
}

// turnFlowCases are flows 13 and 14 of contract 11.
func turnFlowCases() []Case {
	return []Case{
		{
			ID: "flow/13-turn", Sentence: "Flow 13: credentials for a day go into a PeerConnection as they came, without a Content-Type.",
			Section: "11 flow 13", Mark: Seen, Needs: []Need{TURN}, Operations: []string{"generateIceServers"}, Run: flowTURN,
		},
		{
			ID: "flow/14-relay-only", Sentence: "Flow 14: a relay-only client gathers fully, offers in sessions/new, and does data.",
			Section: "11 flow 14", Mark: Seen, Needs: []Need{TURN}, Run: flowRelayOnly,
		},
	}
}

func turnRelay(transport string) func(context.Context, *T) {
	return func(ctx context.Context, t *T) {
		s := t.issue(ctx, 600)
		pub, publishers := t.publish(ctx, t.relayed(s, transport), mic(), cam())
		_, subscribers := t.subscribe(ctx, t.relayed(s, transport), remote(pub.ID, "mic"), remote(pub.ID, "cam"))
		for i, sub := range subscribers {
			if got := t.flows(ctx, "what is pulled", sub, 50); got.Streams[0] != publishers[i].Stream() {
				t.Errorf("track %d carries another one", i)
			}
		}
	}
}

func turnWrong(ctx context.Context, t *T) {
	s := t.issue(ctx, 600)
	wrong, unknown := s, s
	wrong.Credential = strings.Repeat("0", 64)
	unknown.Username = "g0" + strings.Repeat("0", 62)
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.wantUnauthorized("a wrong credential", wrong, transport)
		t.wantUnauthorized("an unknown username", unknown, transport)
		t.allocate(t.turnClient(s, transport))
	}
}

// ends runs a relayed publisher beside an allocation without media, does what ends both, and checks that they are cut off for good.
func (t *T) ends(ctx context.Context, s iceServer, end func(idle *turn.Client)) {
	cfg := t.relayed(s, "udp")
	cfg.Disconnected, cfg.Failed = time.Second, 2*time.Second
	pub, _ := t.publish(ctx, cfg, mic())
	_, subscribers := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "before", subscribers[0], 10)
	idle := t.turnClient(s, "udp")
	t.allocate(idle)
	t.Must(t.refresh(idle, s))
	end(idle)
	t.eventually(ctx, "the publisher is still connected", func() bool { // once disconnected, it fails soon
		state := pub.Peer.State()
		return state == webrtc.PeerConnectionStateDisconnected || state == webrtc.PeerConnectionStateFailed
	})
	t.quiet(ctx, "media", subscribers[0])
	t.soonUnauthorized(ctx, "the same credential", s)
	if err := t.refresh(idle, s); err == nil {
		t.Errorf("the allocation is refreshed all the same (contract 7.2)")
	}
}

func turnRevoked(ctx context.Context, t *T) {
	s := t.issue(ctx, 600)
	t.ends(ctx, s, func(*turn.Client) { t.revoke(ctx, s.Username) })
}

func turnExpired(ctx context.Context, t *T) {
	s, issued := t.issue(ctx, 60), time.Now()
	t.ends(ctx, s, func(idle *turn.Client) {
		t.pass(ctx, max(0, 50*time.Second-time.Since(issued)))
		t.Must(t.refresh(idle, s))
		t.pass(ctx, 11*time.Second)
	})
}

// turnMany has as many allocations as a client with a dozen PeerConnections.
func turnMany(ctx context.Context, t *T) {
	s := t.issue(ctx, 600)
	clients := make([]*turn.Client, 12)
	relays := map[string]bool{}
	for i := range clients {
		clients[i] = t.turnClient(s, []string{"udp", "tcp"}[i%2])
		relays[t.allocate(clients[i]).LocalAddr().String()] = true
	}
	if len(relays) != len(clients) {
		t.Errorf("%d allocations have %d relays: %v", len(clients), len(relays), slices.Sorted(maps.Keys(relays)))
	}
	for range 3 {
		for i, client := range clients {
			if err := t.refresh(client, s); err != nil {
				t.Errorf("allocation %d of %d: %v (contract 6)", i, len(clients), err)
			}
		}
	}
}

func turnPrivate(ctx context.Context, t *T) {
	client := t.turnClient(t.issue(ctx, 600), "udp")
	relay := t.allocate(client)
	if _, err := relay.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 9}); err == nil {
		t.Errorf("a private peer is accepted")
	}
	turnRelay("udp")(ctx, t)
}

// turnFamily asks for relays that there are none of.
func turnFamily(ctx context.Context, t *T) {
	const udp, tcp, ipv4, ipv6 = 17, 6, 1, 2
	for what, asked := range inOrder(map[string][]stun.Setter{
		"over IPv6": {
			stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{udp, 0, 0, 0}},
			stun.RawAttribute{Type: stun.AttrRequestedAddressFamily, Value: []byte{ipv6, 0, 0, 0}},
		},
		"of TCP": {stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{tcp, 0, 0, 0}}},
	}) {
		s := t.issue(ctx, 600)
		client := t.turnClient(s, "udp")
		answer, err := t.turnRequest(client, s, stun.MethodAllocate, asked...)
		if err != nil {
			t.Fatalf("asked for a relay %s: %v, want one of UDP over IPv4 (contract 7.2)", what, err)
		}
		if relay, err := answer.Get(stun.AttrXORRelayedAddress); err != nil || len(relay) != 8 || relay[1] != ipv4 {
			t.Errorf("asked for a relay %s: XOR-RELAYED-ADDRESS is %x, want one of IPv4 (contract 7.2)", what, relay)
		}
		ends := stun.RawAttribute{Type: stun.AttrLifetime, Value: make([]byte, 4)}
		if _, err := t.turnRequest(client, s, stun.MethodRefresh, ends); err != nil {
			t.Errorf("the relay %s cannot be given back: %v", what, err)
		}
	}
}

func turnOpen(ctx context.Context, t *T) {
	s := t.issue(ctx, 600)
	first, second := t.allocate(t.turnClient(s, "udp")), t.allocate(t.turnClient(s, "tcp"))
	// Each lets the other one in, then a packet goes from relay to relay.
	_, err := second.WriteTo([]byte("lets in"), first.LocalAddr())
	t.Must(err)
	t.eventually(ctx, "no packet goes from relay to relay", func() bool {
		_, err := first.WriteTo([]byte("hello"), second.LocalAddr())
		t.Must(err)
		t.Must(second.SetReadDeadline(time.Now().Add(200 * time.Millisecond)))
		buf := make([]byte, 100)
		n, from, err := second.ReadFrom(buf)
		return err == nil && string(buf[:n]) == "hello" && from.String() == first.LocalAddr().String()
	})
}

func flowTURN(ctx context.Context, t *T) {
	list := t.bareGenerate(ctx, `{"ttl":86400}`)
	cfg := sfutest.Config{Gather: true}
	for _, s := range list {
		// A pion peer refuses a CA that the system does not have; browsers skip such a server.
		urls := make([]string, 0, len(s.URLs))
		for _, url := range s.URLs {
			if !strings.HasPrefix(url, "turns:") {
				urls = append(urls, url)
			}
		}
		cfg.ICEServers = append(cfg.ICEServers, sfutest.ICEServer{URLs: urls, Username: s.Username, Credential: s.Credential})
	}
	pub, _ := t.publish(ctx, cfg, mic())
	cfg.RelayOnly = true
	_, subscribers := t.subscribe(ctx, cfg, remote(pub.ID, "mic"))
	t.flows(ctx, "the relayed viewer", subscribers[0], 20)
}

func (t *T) bareGenerate(ctx context.Context, body string) []iceServer {
	none := ""
	c := generate("/generate-ice-servers", body)
	c.ContentType = &none
	return t.do(ctx, c).want(http.StatusCreated).iceServers()
}

func flowRelayOnly(ctx context.Context, t *T) {
	s := t.issue(ctx, 86400)
	join := func() *client {
		peer := t.peer(t.relayed(s, "udp"))
		_, err := peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
		t.Must(err)
		offer, err := peer.Offer(ctx)
		t.Must(err)
		if strings.Contains(offer, "typ host") || strings.Contains(offer, "typ srflx") || !strings.Contains(offer, "typ relay") {
			t.Errorf("the client did not gather relayed candidates alone:\n%s", offer)
		}
		x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{offerOf(offer)}}).
			want(http.StatusCreated).wantFields("sessionId", "sessionDescription")
		t.Must(peer.SetAnswer(x.sdp("answer")))
		t.Must(peer.WaitConnected(ctx))
		return &client{t: t, ID: x.Body.SessionID, Peer: peer}
	}
	publisher, subscriber := join(), join()
	from := publisher.allocate(ctx, localChannel("game"))
	to := subscriber.allocate(ctx, remoteChannel(publisher.ID, "game"))
	t.linked(ctx, "the relayed channel", from, to)
	for range 20 {
		t.Must(from.SendText("state"))
	}
	_, err := to.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(others(s)) == 20 })
	t.Must(err)
}
