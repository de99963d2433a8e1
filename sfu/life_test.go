package sfu_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// deadline bounds every test: what takes longer on this loopback hangs.
const deadline = 20 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, cfg sfu.Config) *sfu.SFU {
	s, err := sfu.New(cfg)
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

func endpoint(t *testing.T, cfg sfutest.Config) *sfutest.Peer {
	e, err := sfutest.NewPeer(cfg)
	check(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func description(t *testing.T, sdp string) *sfu.Description {
	d, err := sfu.ParseDescription(sdp)
	check(t, err)
	return d
}

// publish connects an endpoint that sends the tracks.
func publish(t *testing.T, s *sfu.SFU, cfg sfutest.Config, tracks ...sfutest.Track) (*sfutest.Peer, *sfu.Peer, []*sfutest.Publisher, []*sfu.Publication) {
	ctx := testContext(t)
	e := endpoint(t, cfg)
	var senders []*sfutest.Publisher
	for _, track := range tracks {
		sender, err := e.Publish(track)
		check(t, err)
		senders = append(senders, sender)
	}
	offer, err := e.Offer(ctx)
	check(t, err)
	p, err := s.NewPeer()
	check(t, err)
	plan := sfu.AnswerPlan{}
	for _, sender := range senders {
		plan.Publish = append(plan.Publish, sender.Mid())
	}
	got, err := p.Answer(description(t, offer), plan)
	check(t, err)
	check(t, e.SetAnswer(got.SDP))
	check(t, e.WaitConnected(ctx))
	var pubs []*sfu.Publication
	for _, sender := range senders {
		pub := got.Publications[sender.Mid()]
		wait(t, pub.Ready())
		pubs = append(pubs, pub)
	}
	return e, p, senders, pubs
}

// subscribe connects an endpoint that receives the tracks.
func subscribe(t *testing.T, s *sfu.SFU, cfg sfutest.Config, pubs ...*sfu.Publication) (*sfutest.Peer, *sfu.Peer, []*sfutest.Subscriber) {
	ctx := testContext(t)
	e := endpoint(t, cfg)
	p, err := s.NewPeer()
	check(t, err)
	var plan sfu.OfferPlan
	for _, pub := range pubs {
		plan.Pulls = append(plan.Pulls, sfu.Pull{Publication: pub})
	}
	offer, err := p.Offer(plan)
	check(t, err)
	answer, err := e.Answer(ctx, offer.SDP)
	check(t, err)
	check(t, p.AcceptAnswer(description(t, answer)))
	var subs []*sfutest.Subscriber
	for _, sub := range offer.Subscriptions {
		subs = append(subs, e.Subscriber(sub.Mid()))
	}
	return e, p, subs
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(deadline):
		t.Fatal("nothing happens")
	}
}

// reach waits until a Peer is in a state.
func reach(t *testing.T, p *sfu.Peer, want sfu.State) {
	t.Helper()
	limit := time.After(deadline)
	for {
		state, changed := p.State()
		if state == want {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("state %v, want %v", state, want)
		}
	}
}

var camera = sfutest.Track{Codec: sfutest.VP8}

func flows(t *testing.T, subs ...*sfutest.Subscriber) {
	t.Helper()
	ctx := testContext(t)
	for _, sub := range subs {
		if _, err := sub.WaitMore(ctx, 30); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseNotifyEndsThePeerAtOnce(t *testing.T) {
	s := start(t, sfu.Config{})
	e, p, _, pubs := publish(t, s, sfutest.Config{}, camera)
	check(t, e.Close())
	wait(t, p.Done())
	wait(t, pubs[0].Done())
	if state, _ := p.State(); state != sfu.StateClosed {
		t.Fatalf("state %v", state)
	}
	if _, err := p.Offer(sfu.OfferPlan{}); !errors.Is(err, sfu.ErrClosed) {
		t.Fatalf("an offer after the end: %v", err)
	}
}

func TestSilenceIsLostAndNotTheEnd(t *testing.T) {
	s := start(t, sfu.Config{LostAfter: 300 * time.Millisecond})
	e, p, _, _ := publish(t, s, sfutest.Config{}, camera)
	reach(t, p, sfu.StateConnected)
	e.Vanish()
	reach(t, p, sfu.StateLost)
	if silent := time.Since(p.LastSeen()); silent < 300*time.Millisecond {
		t.Fatalf("lost after %s of silence", silent)
	}
	select {
	case <-p.Done():
		t.Fatal("lost is not the end: that is for the rules on the clock")
	default:
	}
}

func TestCloseMayBeCalledByAnyone(t *testing.T) {
	s := start(t, sfu.Config{})
	_, p, _, _ := publish(t, s, sfutest.Config{}, camera)
	results := make(chan error, 4)
	for range 4 {
		go func() { results <- p.Close() }()
	}
	for range 4 {
		check(t, <-results)
	}
	wait(t, p.Done())
}

// TestSecondConnectionTakesOver is what Chromium does when the section that carried the BUNDLE transport is closed: a new
// DTLS connection from a new address, under the ICE credentials and the certificate of the old one.
func TestSecondConnectionTakesOver(t *testing.T) {
	s := start(t, sfu.Config{})
	ctx := testContext(t)
	_, _, _, pubs := publish(t, s, sfutest.Config{}, camera, camera)
	viewer, p, subs := subscribe(t, s, sfutest.Config{}, pubs...)
	flows(t, subs...)

	next := endpoint(t, sfutest.Config{Identity: viewer.Identity()})
	check(t, next.ReceiveAs("video", "0"))
	check(t, next.ReceiveAs("video", "1"))
	offer, err := next.Offer(ctx)
	check(t, err)
	answer, err := p.Answer(description(t, rejectFirst(offer)), sfu.AnswerPlan{Close: []string{"0"}})
	check(t, err)
	check(t, viewer.Close()) // close_notify on the old connection
	reach(t, p, sfu.StateLost)
	check(t, next.SetAnswer(answer.SDP))
	check(t, next.WaitConnected(ctx))
	flows(t, next.Subscriber("1"))
	reach(t, p, sfu.StateConnected)
}

// rejectFirst makes the section of mid 0 a rejected one, as an endpoint's offer has it after the transceiver was stopped.
func rejectFirst(offer string) string {
	return strings.Replace(strings.Replace(offer, "m=video 9", "m=video 0", 1), "BUNDLE 0 ", "BUNDLE ", 1)
}

func TestMediaOverTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	s := start(t, sfu.Config{TCP: []netip.AddrPort{listener.Addr().(*net.TCPAddr).AddrPort()}})
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.ServeTCP(conn)
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-accepted })
	_, _, _, pubs := publish(t, s, sfutest.Config{TCPOnly: true}, camera)
	_, p, subs := subscribe(t, s, sfutest.Config{TCPOnly: true}, pubs...)
	flows(t, subs...)
	if info := p.Info(); info.Protocol != "tcp" {
		t.Fatalf("path %+v", info)
	}
	check(t, s.SelfTest(testContext(t)))
}

func TestHostileTCPBytesCloseTheConnection(t *testing.T) {
	s := start(t, sfu.Config{})
	for name, bytes := range map[string][]byte{
		"a frame longer than a packet": {0xff, 0xff, 1, 2, 3},
		"an endless frame":             append([]byte{0x10, 0x00}, make([]byte, 4096)...),
	} {
		ours, theirs := net.Pipe()
		s.ServeTCP(theirs)
		go func() { _, _ = ours.Write(bytes) }()
		check(t, ours.SetReadDeadline(time.Now().Add(deadline)))
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v, want the end", name, err)
		}
	}
}

func TestSelfTestFailsWhenNobodyAnswers(t *testing.T) {
	s := start(t, sfu.Config{TCP: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.SelfTest(ctx); err == nil {
		t.Fatal("a self-test without a TCP listener succeeds")
	}
}

func TestLossTowardsTheSFUIsRepaired(t *testing.T) {
	s := start(t, sfu.Config{})
	_, _, senders, pubs := publish(t, s, sfutest.Config{}, camera)
	_, _, subs := subscribe(t, s, sfutest.Config{}, pubs...)
	flows(t, subs...)
	senders[0].Withhold(3)
	ctx := testContext(t)
	if _, err := senders[0].Wait(ctx, func(st sfutest.PublisherStats) bool { return st.Retransmitted >= 3 }); err != nil {
		t.Fatal(err)
	}
	flows(t, subs...)
}
