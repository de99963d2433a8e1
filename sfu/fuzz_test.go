package sfu

import (
	"bytes"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// FuzzNegotiate gives two descriptions to a Peer, as an endpoint's offer, its answer and its next offer, with plans that the
// bits of choice make. Whatever is taken is answered in SDP that can be read, with the endpoint's sections.
func FuzzNegotiate(f *testing.F) {
	av := text(audio("0", "sendonly"), video("1", "sendrecv"))
	more := text(audio("0", "sendonly"), video("1", "inactive").stopped(), data("2"), video("3", "recvonly"), audio("4", "sendrecv"))
	layers := text(video("0", "sendonly").with("a=rid:f send", "a=rid:h send", "a=simulcast:send f;h"))
	f.Add(av, more, byte(0))
	f.Add(more, av, byte(0xff))
	f.Add(layers, layers, byte(0x55))
	f.Add(text(video("a", "recvonly")), text(video("b", "recvonly")), byte(3))

	s, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	must(f, err)
	f.Cleanup(func() { _ = s.Close() })
	source, err := s.NewPeer()
	must(f, err)
	_, published := push(f, source, audio("0", "sendonly"), video("1", "sendonly"))

	f.Fuzz(func(t *testing.T, first, second string, choice byte) {
		p, err := s.NewPeer()
		must(t, err)
		defer func() { must(t, p.Close()) }()
		answer := func(d *Description, choice byte) {
			got, err := p.Answer(d, planFrom(d, choice, published.Publications))
			if err == nil {
				mustBeReadable(t, got.SDP, len(d.sdp.Media))
			}
		}
		a, err := ParseDescription(first)
		if err == nil {
			answer(a, choice)
		}
		before := len(p.negotiation.sections)
		plan := pulls(published.Publications["0"], published.Publications["1"])
		plan.Pushes = []Push{{KindVideo, choice&1 != 0}, {KindAudio, choice&2 != 0}}
		got, err := p.Offer(plan)
		must(t, err)
		mustBeReadable(t, got.SDP, before+4)
		b, err := ParseDescription(second)
		if err == nil {
			_ = p.AcceptAnswer(b)
		}
		if p.OfferPending() {
			_ = p.AcceptAnswer(reply(t, got.SDP))
		}
		if b != nil {
			answer(b, ^choice)
		}
		for i, sub := range got.Subscriptions {
			_, _ = p.PullInto(sub.Mid(), published.Publications[[]string{"1", "0"}[i]], Selection{PreferredRID: "f", FallOnMissing: true})
		}
		if a != nil {
			p.CloseMids(a.sdp.Media[0].Mid)
			answer(a, choice>>1)
		}
	})
}

// planFrom does something with every section.
func planFrom(d *Description, choice byte, published map[string]*Publication) AnswerPlan {
	var plan AnswerPlan
	for i, m := range d.Media() {
		bit := choice>>(i%8)&1 != 0
		switch {
		case m.Sends:
			plan.Publish = append(plan.Publish, m.Mid)
			if bit {
				plan.Bidirectional = append(plan.Bidirectional, m.Mid)
			}
		case m.Receives && bit:
			plan.Pulls = append(plan.Pulls, Pull{Publication: published["1"], Mid: m.Mid})
		case bit:
			plan.Close = append(plan.Close, m.Mid)
		}
	}
	return plan
}

func mustBeReadable(t *testing.T, text string, sections int) {
	t.Helper()
	d, err := sdp.Parse(text)
	if err != nil || len(d.Media) != sections {
		t.Fatalf("own SDP: %v, want %d sections\n%s", err, sections, text)
	}
}

// FuzzReceive gives datagrams of an authenticated path to an SFU whose Peer sends and receives media: STUN, DTLS and SRTP as
// they come, and the same bytes sealed with the endpoint's keys, so that they reach everything behind decryption.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Add(append([]byte{0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x40, '0', 0, 0}, bytes.Repeat([]byte{0x90}, 40)...))
	f.Add([]byte{0xb0, 97, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 4, 4, 4})
	f.Add([]byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0xff, 0xff})
	f.Add([]byte{0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3})
	f.Add([]byte{0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 2, 3, 4, 0, 0, 0, 7})

	s, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	must(f, err)
	f.Cleanup(func() { _ = s.Close() })
	key, salt := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 12)
	context := func(options ...srtp.ContextOption) *srtp.Context {
		c, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm, options...)
		must(f, err)
		return c
	}
	p, err := s.NewPeer()
	must(f, err)
	_, got := push(f, p, video("0", "sendonly"), audio("1", "sendonly"))
	_, subs := pull(f, p, got.Publications["0"])
	from := path{sock: s.sockets[0], addr: netip.MustParseAddrPort("127.0.0.1:9")}
	a := newAssociation(p, false, from, func() {})
	a.in, a.out = context(srtp.SRTPNoReplayProtection(), srtp.SRTCPNoReplayProtection()), context()
	p.current.Store(a)
	f.Cleanup(func() { p.current.Store(nil) })
	subs[0].bind(p.negotiation.sections[2], true)
	sealer, w := context(), newWorker(s)

	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxPacket-sealRoom {
			return
		}
		w.now = time.Now()
		s.receive(w, p, from, bytes.Clone(b))
		if isMedia(b) {
			var sealed []byte
			var err error
			if isRTCP(b) {
				sealed, err = sealer.EncryptRTCP(nil, b, nil)
			} else {
				sealed, err = sealer.EncryptRTP(nil, b, nil)
			}
			if err == nil {
				s.receive(w, p, from, sealed)
			}
		}
		w.forward()
	})
}
