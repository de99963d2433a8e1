package sfu

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// someFingerprint is that of no certificate.
func someFingerprint() string {
	return "sha-256 " + strings.TrimSuffix(strings.Repeat("0F:", 32), ":")
}

// line is one m-line of an endpoint's SDP.
type line struct {
	mid, kind, direction string
	rejected             bool
	protocol             string   // default is that of the kind
	setup                string   // default actpass
	formats              []string // "96 VP8/90000", or "97 96" for the rtx format of 96
	extensions           []string // "3 urn:..."
	more                 []string
}

// audio and video are the sections of a browser, in fewer words; the direction is the endpoint's.
func audio(mid, direction string) line {
	return line{mid: mid, kind: "audio", direction: direction,
		formats:    []string{"111 opus/48000/2", "63 red/48000/2", "0 PCMU/8000", "8 PCMA/8000", "13 CN/8000", "110 telephone-event/48000"},
		extensions: []string{"1 " + extAudioLevel, "2 " + extAbsSendTime, "3 " + extTransportCC, "4 " + extMid}}
}

func video(mid, direction string) line {
	return line{mid: mid, kind: "video", direction: direction,
		formats: []string{"96 VP8/90000", "97 96", "102 H264/90000", "103 102", "98 VP9/90000", "99 98", "114 red/90000", "115 114", "116 ulpfec/90000"},
		extensions: []string{"2 " + extAbsSendTime, "3 " + extTransportCC, "4 " + extMid, "10 " + extRID, "11 " + extRepairedRID,
			"13 urn:3gpp:video-orientation"},
		more: []string{"a=rtcp-fb:* nack", "a=rtcp-fb:* nack pli", "a=rtcp-fb:* ccm fir", "a=rtcp-fb:* goog-remb", "a=rtcp-fb:* transport-cc",
			"a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}}
}

func data(mid string) line {
	return line{mid: mid, kind: "application", direction: "sendrecv"}
}

func (l line) stopped() line {
	l.rejected, l.direction = true, "inactive"
	return l
}

func (l line) set(setup string) line {
	l.setup = setup
	return l
}

func (l line) with(more ...string) line {
	l.more = append(slices.Clone(l.more), more...)
	return l
}

func (l line) write(add func(format string, a ...any)) {
	protocol, port := "UDP/TLS/RTP/SAVPF", 9
	var pts []string
	for _, f := range l.formats {
		pt, _, _ := strings.Cut(f, " ")
		pts = append(pts, pt)
	}
	if l.kind == "application" {
		protocol, pts = "UDP/DTLS/SCTP", []string{"webrtc-datachannel"}
	}
	if l.protocol != "" {
		protocol = l.protocol
	}
	if l.rejected {
		port = 0
	}
	add("m=%s %d %s %s", l.kind, port, protocol, strings.Join(pts, " "))
	add("c=IN IP4 0.0.0.0")
	add("a=mid:%s", l.mid)
	add("a=ice-ufrag:endpoint")
	add("a=ice-pwd:%s", strings.Repeat("p", 24))
	add("a=fingerprint:%s", someFingerprint())
	if l.setup == "" {
		l.setup = "actpass"
	}
	add("a=setup:%s", l.setup)
	for _, f := range l.formats {
		pt, name, _ := strings.Cut(f, " ")
		if strings.Contains(name, "/") {
			add("a=rtpmap:%s %s", pt, name)
			continue
		}
		add("a=rtpmap:%s rtx/90000", pt)
		add("a=fmtp:%s apt=%s", pt, name)
	}
	for _, e := range l.extensions {
		add("a=extmap:%s", e)
	}
	for _, m := range l.more {
		add("%s", m)
	}
	add("a=%s", l.direction)
}

// text is the SDP of an endpoint with these m-lines, all that are not rejected in one BUNDLE group.
func text(lines ...line) string {
	var mids []string
	for _, l := range lines {
		if !l.rejected {
			mids = append(mids, l.mid)
		}
	}
	var b strings.Builder
	add := func(format string, a ...any) { fmt.Fprintf(&b, format+"\r\n", a...) }
	for _, h := range []string{"v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE " + strings.Join(mids, " ")} {
		add("%s", h)
	}
	for _, l := range lines {
		l.write(add)
	}
	return b.String()
}

// describe is text, parsed.
func describe(t fataler, lines ...line) *Description {
	t.Helper()
	d, err := ParseDescription(text(lines...))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text(lines...))
	}
	return d
}

// parse reads an SDP of the SFU.
func parse(t fataler, text string) *sdp.Description {
	t.Helper()
	d, err := sdp.Parse(text)
	if err != nil {
		t.Fatalf("the SFU's own SDP: %v\n%s", err, text)
	}
	return d
}

// reply is an endpoint's answer to an offer of the SFU: it takes everything, but for what change does.
func reply(t fataler, offer string, change ...func(i int, m *sdp.Media)) *Description {
	t.Helper()
	d := parse(t, offer)
	for i := range d.Media {
		m := &d.Media[i]
		m.Sends, m.Receives = m.Receives, m.Sends
		m.Sources, m.Setup, m.Ufrag = nil, "active", "endpoint"
		for _, f := range change {
			f(i, m)
		}
	}
	out, err := ParseDescription(d.Text(sdp.Session{Fingerprint: someFingerprint()}))
	must(t, err)
	return out
}

// newSFU is an SFU on one loopback socket.
func newSFU(t testing.TB, cfg Config) *SFU {
	t.Helper()
	s, err := New(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func newTestPeer(t testing.TB, s *SFU) *Peer {
	t.Helper()
	p, err := s.NewPeer()
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// push is an offer of an endpoint that publishes all mids that it sends.
func push(t fataler, p *Peer, lines ...line) (*sdp.Description, Negotiated) {
	t.Helper()
	var plan AnswerPlan
	known := map[string]bool{}
	p.mu.Lock()
	for _, s := range p.negotiation.sections {
		known[s.mid] = s.publication.Load() != nil
	}
	p.mu.Unlock()
	for _, l := range lines {
		if strings.HasPrefix(l.direction, "send") && l.kind != "application" && !known[l.mid] {
			plan.Publish = append(plan.Publish, l.mid)
		}
	}
	got, err := p.Answer(describe(t, lines...), plan)
	must(t, err)
	return parse(t, got.SDP), got
}

// pull has the SFU offer these tracks, and takes them all.
func pull(t fataler, p *Peer, pubs ...*Publication) (*sdp.Description, []*Subscription) {
	t.Helper()
	got, err := p.Offer(pulls(pubs...))
	must(t, err)
	must(t, p.AcceptAnswer(reply(t, got.SDP)))
	return parse(t, got.SDP), got.Subscriptions
}

// snapshot is everything that negotiation may change in a Peer.
func (p *Peer) snapshot() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	n := &p.negotiation
	fmt.Fprintln(&b, p.describeLocked(nil).Text(sdp.Session{}))
	fmt.Fprintln(&b, p.state, p.fingerprint, p.active, p.restartUntil, *p.ids.Load())
	fmt.Fprintln(&b, n.offering, n.tag, n.version, len(n.pulls), n.numbers)
	for _, s := range n.sections {
		fmt.Fprintf(&b, "%s %v %v %p %p", s.mid, s.rejected, s.stopped, s.publication.Load(), s.subscription)
		if s.subscription != nil {
			fmt.Fprintf(&b, " %p %v", s.subscription.bound.Load(), len(*s.subscription.source.Load().receives.Load()))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func mids(d *sdp.Description) []string {
	var out []string
	for i := range d.Media {
		out = append(out, d.Media[i].Mid)
	}
	return out
}

func pts(m *sdp.Media) []uint8 {
	var out []uint8
	for _, c := range m.Codecs {
		out = append(out, c.PT)
		if c.RTX != 0 {
			out = append(out, c.RTX)
		}
	}
	return out
}
