package sfu

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/sctp"
	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// bubble runs f with an endpoint that takes messages of up to longest bytes, in a time of its own: only pass lets it go by.
func bubble(t *testing.T, longest uint32, f func(t *testing.T, h *hostile)) {
	t.Helper()
	s := newSFU(t, Config{Logger: slog.New(slog.DiscardHandler)})
	synctest.Test(t, func(t *testing.T) {
		h := newConnected(t, s, longest)
		defer h.close()
		f(t, h)
	})
}

// pass lets the bubble's time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// opened is the endpoint's end of a channel, with what has come on it.
type opened struct {
	*sctp.Stream

	mu     sync.Mutex
	got    []string
	closed bool // by the SFU
}

// open gives the endpoint its end of a channel. A reset of the SFU is answered.
func (h *hostile) open(tb testing.TB, id int, unordered bool) *opened {
	tb.Helper()
	stream, err := h.assoc.OpenStream(uint16(id), sctp.PayloadTypeWebRTCBinary)
	must(tb, err)
	stream.SetReliabilityParams(unordered, sctp.ReliabilityTypeReliable, 0)
	o := &opened{Stream: stream}
	go o.read() // until close
	return o
}

func (o *opened) read() {
	buf := make([]byte, 1<<17)
	for {
		n, kind, err := o.ReadSCTP(buf)
		if err != nil {
			_ = o.Close()
			o.mu.Lock()
			o.closed = true
			o.mu.Unlock()
			return
		}
		if kind == sctp.PayloadTypeWebRTCBinary {
			o.mu.Lock()
			o.got = append(o.got, string(buf[:n]))
			o.mu.Unlock()
		}
	}
}

func (o *opened) texts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.got)
}

func (o *opened) wasClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// carries reports whether a packet has DATA with this message.
func carries(packet []byte, text string) bool {
	for c := range chunksOf(packet[12:]) {
		if c[0] == chunkData && len(c) > 16 && string(c[16:]) == text {
			return true
		}
	}
	return false
}

// hasChunk reports whether a packet has a chunk of this type.
func hasChunk(packet []byte, kind byte) bool {
	for c := range chunksOf(packet[12:]) {
		if c[0] == kind {
			return true
		}
	}
	return false
}

// losing loses the packets with this message so many times.
func losing(text string, times int) func([]byte) bool {
	return func(packet []byte) bool {
		if times == 0 || !carries(packet, text) {
			return false
		}
		times--
		return true
	}
}

func say(text string) message { return message{data: []byte(text)} }

// flow makes a publication of the endpoint and its own subscription to it with a policy.
func (h *hostile) flow(tb testing.TB, policy Policy, options SubscribeData) (*DataPublication, *DataSubscription) {
	tb.Helper()
	pub, err := h.peer.PublishData(policy, 1<<16)
	must(tb, err)
	sub, err := h.peer.SubscribeData(pub, policy, options)
	must(tb, err)
	return pub, sub
}

func TestLegFollowsItsPolicy(t *testing.T) { // contract 4.1, RFC 8831 section 6.1
	none, one := uint16(0), uint16(1)
	// pion counts a lifetime anew from each transmission, so only one of 0 is sure to end.
	short, long := time.Duration(0), 10*time.Second
	const always = 1000 // for the first two seconds
	for name, tc := range map[string]struct {
		policy       Policy
		lost         int      // how many transmissions of "1"
		atOnce, last []string // received while no FORWARD-TSN arrives, and in the end
	}{
		"reliable, ordered":     {Policy{}, always, nil, []string{"1", "2", "3"}},
		"reliable, unordered":   {Policy{Unordered: true}, always, []string{"2", "3"}, []string{"2", "3", "1"}},
		"sent once, ordered":    {Policy{MaxRetransmits: &none}, 1, nil, []string{"2", "3"}},
		"sent once, unordered":  {Policy{Unordered: true, MaxRetransmits: &none}, 1, []string{"2", "3"}, []string{"2", "3"}},
		"sent twice, lost once": {Policy{MaxRetransmits: &one}, 1, []string{"1", "2", "3"}, []string{"1", "2", "3"}},
		"sent twice, both lost": {Policy{MaxRetransmits: &one}, 2, nil, []string{"2", "3"}},
		"too old to send again": {Policy{MaxLifetime: &short}, 1, nil, []string{"2", "3"}},
		"young enough":          {Policy{MaxLifetime: &long}, always, nil, []string{"1", "2", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 0, func(t *testing.T, h *hostile) {
				pub, sub := h.flow(t, tc.policy, SubscribeData{})
				at := h.open(t, sub.ID(), tc.policy.Unordered)
				lost := losing("1", tc.lost)
				h.lose(func(packet []byte) bool { return lost(packet) || hasChunk(packet, chunkForwardTSN) }, nil)
				for _, text := range []string{"1", "2", "3"} {
					pub.received(say(text))
					synctest.Wait() // a packet for each
				}
				pass(2 * time.Second)
				if got := at.texts(); !slices.Equal(got, tc.atOnce) {
					t.Errorf("at once %q, want %q", got, tc.atOnce)
				}
				h.lose(nil, nil)
				pass(time.Minute)
				if got := at.texts(); !slices.Equal(got, tc.last) {
					t.Errorf("in the end %q, want %q", got, tc.last)
				}
			})
		})
	}
}

func TestMessageGrowsTooOldInTheQueue(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		lifetime := 5 * time.Second
		pub, sub := h.flow(t, Policy{MaxLifetime: &lifetime}, SubscribeData{})
		at := h.open(t, sub.ID(), false)
		h.lose(everything, nil)
		pub.received(say(string(make([]byte, timedInFlight)))) // SCTP takes no other
		pub.received(say("old"))
		if info := sub.Info(); info.Queued != 1 {
			t.Fatalf("the leg: %+v", info)
		}
		pass(lifetime + time.Millisecond)
		pub.received(say("new"))
		h.lose(nil, nil)
		pass(30 * time.Second)
		got := at.texts()
		if slices.Contains(got, "old") || !slices.Contains(got, "new") || sub.Info().Dropped != 1 {
			t.Errorf("%d messages, old %v, new %v; %+v", len(got), slices.Contains(got, "old"), slices.Contains(got, "new"), sub.Info())
		}
	})
}

func TestUnreliableQueueKeepsTheNewest(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		none := uint16(0)
		pub, sub := h.flow(t, Policy{MaxRetransmits: &none}, SubscribeData{})
		at := h.open(t, sub.ID(), false)
		h.lose(everything, nil)
		const count, size = 500, 1000
		for i := range count {
			pub.received(say(fmt.Sprintf("%0*d", size, i)))
		}
		queued := sub.Info().Queued
		if want := unreliableQueue / (size + messageCost); queued != want {
			t.Fatalf("%d wait, want %d", queued, want)
		}
		h.lose(nil, nil)
		pass(time.Minute)
		got := at.texts()
		if len(got) < queued {
			t.Fatalf("%d messages arrived, %d were queued", len(got), queued)
		}
		for i, text := range got[len(got)-queued:] {
			if want := fmt.Sprintf("%0*d", size, count-queued+i); text != want {
				t.Fatalf("message %d of the queue is %s, want %s", i, text[size-4:], want[size-4:])
			}
		}
	})
}

func TestSmallMessagesFillAQueue(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub, sub := h.flow(t, Policy{}, SubscribeData{})
		h.lose(everything, nil)
		const room = maxOutstanding + reliableQueue/messageCost
		for range room {
			pub.received(message{})
		}
		if info := sub.Info(); info.State != ChannelActive || info.Queued != reliableQueue/messageCost {
			t.Fatalf("after %d empty messages: %+v", room, info)
		}
		pub.received(message{})
		select {
		case <-sub.Done():
		default:
			t.Errorf("one more is taken: %+v", sub.Info())
		}
	})
}

func TestEndpointsLongestMessageIsKept(t *testing.T) { // RFC 8841 section 6
	bubble(t, 100, func(t *testing.T, h *hostile) {
		pub, sub := h.flow(t, Policy{}, SubscribeData{})
		at := h.open(t, sub.ID(), false)
		pub.received(say(string(make([]byte, 101))))
		pub.received(say(string(make([]byte, 100))))
		pass(time.Second)
		if got := at.texts(); len(got) != 1 || len(got[0]) != 100 || sub.Info().Dropped != 1 {
			t.Errorf("%d messages arrived; %+v", len(got), sub.Info())
		}
	})
	s := newSFU(t, Config{})
	limit := "a=max-message-size:100"
	offers, answers := newTestPeer(t, s), newTestPeer(t, s)
	push(t, offers, data("0").with(limit))
	offer, err := answers.Offer(OfferPlan{Data: true})
	must(t, err)
	must(t, answers.AcceptAnswer(reply(t, offer.SDP, func(_ int, m *sdp.Media) { m.MaxMessage = 100 })))
	for name, p := range map[string]*Peer{"offer": offers, "answer": answers} {
		pub, err := p.PublishData(Policy{}, 1<<16)
		must(t, err)
		if got := pub.leg.longest(); got != 100 {
			t.Errorf("the longest message after the endpoint's %s is %d, want 100", name, got)
		}
	}
}

func TestFirstIDFollowsTheDTLSRole(t *testing.T) { // contract 4.2, RFC 8832 section 6
	s := newSFU(t, Config{})
	for name, tc := range map[string]struct {
		lines      []line
		inband, id int
	}{
		"client":                {[]line{data("0").set("active")}, 0, 1},
		"either":                {[]line{data("0")}, 0, 1},
		"server":                {[]line{data("0").set("passive")}, 1, 2},
		"server, and media too": {[]line{audio("0", "sendonly").set("passive"), data("1").set("passive")}, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestPeer(t, s)
			push(t, p, tc.lines...)
			pub, err := p.PublishData(Policy{}, 1)
			must(t, err)
			if p.InbandID() != tc.inband || pub.ID() != tc.id {
				t.Errorf("in band %d, first id %d, want %d, %d", p.InbandID(), pub.ID(), tc.inband, tc.id)
			}
		})
	}
	t.Run("the sfu has offered", func(t *testing.T) {
		p := newTestPeer(t, s)
		offer, err := p.Offer(OfferPlan{Data: true})
		must(t, err)
		must(t, p.AcceptAnswer(reply(t, offer.SDP, func(_ int, m *sdp.Media) { m.Setup = "passive" })))
		pub, err := p.PublishData(Policy{}, 1)
		must(t, err)
		if p.InbandID() != 0 || pub.ID() != 1 {
			t.Errorf("in band %d, first id %d, want 0, 1", p.InbandID(), pub.ID())
		}
	})
}

func TestRejectedSectionEndsItsChannels(t *testing.T) {
	p := newTestPeer(t, newSFU(t, Config{}))
	push(t, p, audio("0", "sendonly"), data("1"))
	pub, err := p.PublishData(Policy{}, 1)
	must(t, err)
	push(t, p, audio("0", "sendonly"), data("1").stopped())
	if _, err := p.PublishData(Policy{}, 1); !errors.Is(err, ErrNoData) || p.HasData() || p.DataAgreed() {
		t.Errorf("a channel: %v; has data %v, agreed %v", err, p.HasData(), p.DataAgreed())
	}
	select {
	case <-pub.Done():
	case <-time.After(10 * time.Second):
		t.Error("the publication goes on")
	}
}

func TestSecondDataSectionIsRejected(t *testing.T) {
	s := newSFU(t, Config{})
	check := func(t *testing.T, p *Peer, answer *sdp.Description) {
		t.Helper()
		if answer.Media[0].Rejected || !answer.Media[1].Rejected {
			t.Errorf("rejected: %v, %v; want only the second", answer.Media[0].Rejected, answer.Media[1].Rejected)
		}
		if _, err := p.PublishData(Policy{}, 1); err != nil {
			t.Errorf("a channel of the first section: %v", err)
		}
	}
	t.Run("in one offer", func(t *testing.T) {
		p := newTestPeer(t, s)
		answer, _ := push(t, p, data("0"), data("1"))
		check(t, p, answer)
	})
	t.Run("in a later offer", func(t *testing.T) {
		p := newTestPeer(t, s)
		push(t, p, data("0"))
		answer, _ := push(t, p, data("0"), data("1"))
		check(t, p, answer)
	})
}

func TestGateKeepsAFewBytes(t *testing.T) { // contract 4.4
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub, sub := h.flow(t, Policy{}, SubscribeData{WaitForAck: true})
		half := string(make([]byte, maxKeptBytes/2))
		for range 2 {
			pub.received(say(half))
		}
		if info := sub.Info(); info.Kept != 2 || info.Missed != 0 {
			t.Errorf("at the bound: %+v", info)
		}
		pub.received(say("x"))
		if info := sub.Info(); info.Kept != 2 || info.Missed != 1 {
			t.Errorf("beyond the bound: %+v", info)
		}
	})
}

func TestRepliesHaveTheLimitsOfTheChannel(t *testing.T) { // contract 4.1, 4.5
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub, err := h.peer.PublishData(Policy{}, 10)
		must(t, err)
		sub, err := h.peer.SubscribeData(pub, Policy{}, SubscribeData{CanReply: true})
		must(t, err)
		publisher, replier := h.open(t, pub.ID(), false), h.open(t, sub.ID(), false)
		for _, text := range []string{"eleven byte", "ten bytes."} {
			_, err := replier.Write([]byte(text))
			must(t, err)
		}
		pass(time.Second)
		if got := publisher.texts(); !slices.Equal(got, []string{"ten bytes."}) || pub.Info().TooLong != 1 {
			t.Errorf("the publisher heard %q; %+v", got, pub.Info())
		}
	})
}

func TestRepliesBeyondTheBoundEndTheGrant(t *testing.T) { // contract 4.5
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub, sub := h.flow(t, Policy{}, SubscribeData{CanReply: true})
		h.lose(everything, nil)
		m := say(string(make([]byte, 1<<16)))
		for range (reliableInFlight + reliableQueue) / (len(m.data) + messageCost) {
			sub.received(m)
		}
		if !sub.CanReply() {
			t.Fatalf("the grant has ended below the bound: %+v", pub.Info())
		}
		for range 2 {
			sub.received(m)
		}
		if sub.CanReply() {
			t.Errorf("the grant outlives the bound: %+v", pub.Info())
		}
		if pub.State() != ChannelActive || sub.State() != ChannelActive {
			t.Errorf("states %v, %v", pub.State(), sub.State())
		}
	})
}

func TestInbandChannelsAreBounded(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		var all []*opened
		for i := range maxInband + 1 {
			all = append(all, h.open(t, 2*i+2, false))
			_, err := all[i].WriteSCTP(openMessage("x"), sctp.PayloadTypeWebRTCDCEP)
			must(t, err)
			synctest.Wait() // SCTP forgets streams that are opened faster than they are accepted
		}
		pass(time.Second)
		for i, at := range all {
			if got, want := at.wasClosed(), i == maxInband; got != want {
				t.Errorf("channel %d: closed %v, want %v", i+1, got, want)
			}
		}
	})
}

// The endpoint gives a long message up on an unordered channel. What has come of it must not stay in the SFU's window.
func TestInbandChannelIsUnorderedAsItsOpeningSays(t *testing.T) { // RFC 8832 section 5.1, RFC 3758 section 3.6
	bubble(t, 0, func(t *testing.T, h *hostile) {
		at := h.open(t, 0, true)
		open := openMessage("x")
		open[1] = dcepUnordered
		_, err := at.WriteSCTP(open, sctp.PayloadTypeWebRTCDCEP)
		must(t, err)
		pass(time.Second)
		h.mu.Lock()
		before := h.window
		h.mu.Unlock()

		at.SetReliabilityParams(true, sctp.ReliabilityTypeRexmit, 0)
		first := true
		h.lose(nil, func(packet []byte) bool { // the middle of the message
			for c := range chunksOf(packet[12:]) {
				if c[0] == chunkData && len(c) > 16 && c[1]&3 == 0 && first {
					first = false
					return true
				}
			}
			return false
		})
		_, err = at.Write(make([]byte, 3000)) // three fragments, which leave together
		must(t, err)
		pass(10 * time.Second)
		at.SetReliabilityParams(true, sctp.ReliabilityTypeReliable, 0)
		_, err = at.Write([]byte("x"))
		must(t, err)
		pass(10 * time.Second)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.window != before || first {
			t.Errorf("the window is %d bytes, before the loss (%v) it was %d", h.window, !first, before)
		}
	})
}

// allocate gives the endpoint a channel.
func (h *hostile) allocate(tb testing.TB) *DataPublication {
	tb.Helper()
	pub, err := h.peer.PublishData(Policy{}, 1)
	must(tb, err)
	return pub
}

// TestIDsEndAt65534: nobody reads these channels, since there is no association; a reader for each would be more goroutines than the race
// detector takes, so that no case of package conformance has them all.
func TestIDsEndAt65534(t *testing.T) { // contract 4.2
	d := &dataTransport{
		firstID: 1, legs: map[uint16]*leg{}, resting: map[uint16]time.Time{}, inband: map[uint16]int{}, refused: map[uint16]struct{}{},
	}
	for want := 1; want <= 65534; want++ {
		l := newLeg(d, Policy{}, nil, nil)
		if err := d.allocate(l); err != nil || int(l.id) != want {
			t.Fatalf("channel %d has the id %d: %v", want, l.id, err)
		}
	}
	if err := d.allocate(newLeg(d, Policy{}, nil, nil)); !errors.Is(err, ErrNoChannelIDs) {
		t.Errorf("with every id taken: %v, want ErrNoChannelIDs", err)
	}
}

func TestReleasedIDRests(t *testing.T) { // contract 4.2
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub := h.allocate(t)
		h.allocate(t)
		h.open(t, pub.ID(), false)
		synctest.Wait()
		pub.Close()
		synctest.Wait() // the endpoint has answered
		pass(idRest - time.Second)
		if id := h.allocate(t).ID(); id != 3 {
			t.Errorf("id %d before the rest is over, want 3", id)
		}
		pass(2 * time.Second)
		if id := h.allocate(t).ID(); id != 1 {
			t.Errorf("id %d after the rest, want 1", id)
		}
	})
}

func TestIDOfAnUnansweredResetStaysTaken(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub := h.allocate(t)
		at := h.open(t, pub.ID(), false)
		synctest.Wait()
		h.lose(nil, func(packet []byte) bool { return hasChunk(packet, chunkReconfig) }) // the answers
		pub.Close()
		pass(resetWait + idRest + time.Second)
		if id := h.allocate(t).ID(); id != 2 {
			t.Errorf("id %d while the reset is unanswered, want 2", id)
		}
		h.lose(nil, nil)
		pass(time.Minute)
		if !at.wasClosed() {
			t.Fatal("the endpoint's channel is open")
		}
		if id := h.allocate(t).ID(); id != 3 {
			t.Errorf("id %d after a late answer, want 3", id)
		}
	})
}

// An endpoint whose SCTP is up may not have opened its channels yet, and would then open what was reset.
func TestChannelIsClosedWhenTheEndpointCanNotice(t *testing.T) {
	for name, c := range map[string]struct{ early, answers bool }{
		"before the association":       {true, true},
		"before the endpoint's answer": {false, true},
		"and the endpoint, which has negotiated server-events, answers nothing": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSFU(t, Config{Logger: slog.New(slog.DiscardHandler)})
			synctest.Test(t, func(t *testing.T) {
				var pub *DataPublication
				h := newConnectedAs(t, s, 0, true, func(h *hostile) {
					if pub = h.allocate(t); c.early {
						pub.Close()
					}
				})
				defer h.close()
				pub.Close()
				at := h.open(t, pub.ID(), false)
				events := h.open(t, 0, false)
				pass(firstWord / 2)
				if at.wasClosed() {
					t.Fatal("it is closed before the endpoint has said anything")
				}
				if c.answers {
					_, err := events.WriteSCTP([]byte{dcepAck}, sctp.PayloadTypeWebRTCDCEP)
					must(t, err)
					pass(firstWord / 4)
				} else {
					pass(firstWord)
				}
				if !at.wasClosed() {
					t.Error("it stays open")
				}
				pass(idRest)
				if id := h.allocate(t).ID(); id != 1 {
					t.Errorf("id %d after the rest, want 1", id)
				}
			})
		})
	}
}

// Server-events is opened once, so a later association has no answer to wait for.
func TestChannelOfALaterAssociationIsClosedAtOnce(t *testing.T) {
	s := newSFU(t, Config{Logger: slog.New(slog.DiscardHandler)})
	synctest.Test(t, func(t *testing.T) {
		h := newConnectedAs(t, s, 0, true, func(h *hostile) {
			h.peer.data.mu.Lock()
			defer h.peer.data.mu.Unlock()
			h.peer.data.greeted = true
		})
		defer h.close()
		pub := h.allocate(t)
		at := h.open(t, pub.ID(), false)
		pub.Close()
		pass(time.Second)
		if !at.wasClosed() {
			t.Error("it stays open")
		}
	})
}

// An endpoint that closes a channel and sends on the same id again must not fill the window of all its channels with that.
func TestStreamOfAnEndedLegIsServed(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub := h.allocate(t)
		other, sub := h.flow(t, Policy{}, SubscribeData{})
		h.open(t, sub.ID(), false)
		publishing := h.open(t, other.ID(), false)
		first := h.open(t, pub.ID(), false)
		_, err := first.Write([]byte("x"))
		must(t, err)
		pass(time.Second)
		must(t, first.Close())
		pass(time.Second)
		if pub.State() != ChannelInactive || !first.wasClosed() {
			t.Fatalf("state %v, closed at the endpoint %v", pub.State(), first.wasClosed())
		}
		again := h.open(t, pub.ID(), false)
		for range 64 {
			_, err := again.Write(make([]byte, 1<<16))
			must(t, err)
		}
		_, err = publishing.Write([]byte("y"))
		must(t, err)
		pass(time.Minute)
		if left := again.BufferedAmount(); left != 0 || other.Info().Messages != 1 {
			t.Errorf("%d bytes are stuck, %d messages arrived on another channel", left, other.Info().Messages)
		}
	})
}

func TestClosedPublicationDeliversNothing(t *testing.T) {
	bubble(t, 0, func(t *testing.T, h *hostile) {
		pub, sub := h.flow(t, Policy{}, SubscribeData{})
		publisher, at := h.open(t, pub.ID(), false), h.open(t, sub.ID(), false)
		_, err := publisher.Write([]byte("before"))
		must(t, err)
		pass(time.Second)
		h.lose(everything, nil) // the endpoint hears of no reset, and sends on
		pub.Close()
		_, err = publisher.Write([]byte("after"))
		must(t, err)
		synctest.Wait()
		h.lose(nil, nil)
		pass(time.Minute)
		if got := at.texts(); !slices.Equal(got, []string{"before"}) || pub.Info().Messages != 1 {
			t.Errorf("received %q; %+v", got, pub.Info())
		}
	})
}

// alone gives the Peer a data transport whose endpoint never answers, and tells of each INIT.
func alone(tb testing.TB, s *SFU) (p *Peer, sent <-chan struct{}) {
	tb.Helper()
	p, err := s.NewPeer()
	must(tb, err)
	inits := make(chan struct{}, 64)
	p.pipe.Store(newDataPipe(func(b []byte) {
		if b[12] == chunkInit {
			inits <- struct{}{}
		}
	}))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setStateLocked(StateConnected)
	p.startDataLocked(false, 0)
	return p, inits
}

func TestCancelledSCTPHandshakeLeavesNoGoroutine(t *testing.T) {
	s := newSFU(t, Config{Logger: slog.New(slog.DiscardHandler)})
	before := goleak.IgnoreCurrent()
	p, sent := alone(t, s)
	select {
	case <-sent:
	case <-time.After(10 * time.Second):
		t.Error("no INIT")
	}
	must(t, p.Close())
	goleak.VerifyNone(t, before)
}

func TestFailedSCTPHandshakeIsFollowedByAnother(t *testing.T) {
	s := newSFU(t, Config{Logger: slog.New(slog.DiscardHandler)})
	synctest.Test(t, func(t *testing.T) { // whose end finds goroutines that are left
		p, _ := alone(t, s)
		first := p.pipe.Load()
		pass(5 * time.Minute)
		select {
		case <-first.closed:
		default:
			t.Error("the association that failed goes on")
		}
		if p.pipe.Load() == first {
			t.Error("there is no other association")
		}
		must(t, p.Close())
	})
}
