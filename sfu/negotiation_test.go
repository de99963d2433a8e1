package sfu

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

func TestPushAnswerKeepsTheEndpointsNumbers(t *testing.T) {
	p := newTestPeer(t, newSFU(t, Config{}))
	answer, got := push(t, p, audio("a", "sendonly"), video("v", "sendonly"))
	a, v := &answer.Media[0], &answer.Media[1]
	if want := []uint8{111, 0, 8}; !slices.Equal(pts(a), want) {
		t.Errorf("audio answer has payload types %v, want opus and G.711 only: %v", pts(a), want)
	}
	if want := []uint8{96, 97}; !slices.Equal(pts(v), want) {
		t.Errorf("video answer has payload types %v, want the first codec and its rtx: %v", pts(v), want)
	}
	if want := []string{fbTransportCC, fbNACK, fbPLI, fbFIR}; !slices.Equal(v.Codecs[0].Feedback, want) {
		t.Errorf("feedback %v, want %v", v.Codecs[0].Feedback, want)
	}
	for _, m := range []*sdp.Media{a, v} {
		if m.Setup != "passive" || m.Direction() != "recvonly" || m.Rejected || len(m.Sources) != 0 {
			t.Errorf("section %s: setup %s, %s, sources %v", m.Mid, m.Setup, m.Direction(), m.Sources)
		}
	}
	want := []sdp.Extension{{ID: 2, URI: extAbsSendTime}, {ID: 3, URI: extTransportCC}, {ID: 4, URI: extMid}, {ID: 10, URI: extRID}, {ID: 11, URI: extRepairedRID}}
	if !slices.Equal(v.Extensions, want) {
		t.Errorf("video extensions %v, want %v", v.Extensions, want)
	}
	if !slices.Equal(answer.Bundle, []string{"a", "v"}) {
		t.Errorf("bundle %v", answer.Bundle)
	}
	if len(got.Publications) != 2 || got.Publications["a"].Kind() != KindAudio || got.Publications["v"].Mid() != "v" {
		t.Errorf("publications %v", got.Publications)
	}
	if state, _ := p.State(); state != StateNegotiating {
		t.Errorf("state %s, want negotiating", state)
	}
}

func TestPushTakesTheFirstKnownVideoCodec(t *testing.T) {
	for name, tc := range map[string]struct {
		formats []string
		want    []uint8
	}{
		"after unknown ones": {[]string{"120 H266/90000", "121 120", "114 red/90000", "41 AV1/90000", "42 41", "96 VP8/90000"}, []uint8{41, 42}},
		"without rtx":        {[]string{"100 VP9/90000", "96 VP8/90000", "97 96"}, []uint8{100}},
		"of another clock":   {[]string{"100 VP9/48000", "96 VP8/90000"}, []uint8{96}},
		"in small letters":   {[]string{"100 h265/90000"}, []uint8{100}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestPeer(t, newSFU(t, Config{}))
			l := video("0", "sendonly")
			l.formats, l.more = tc.formats, nil
			answer, _ := push(t, p, l)
			if got := pts(&answer.Media[0]); !slices.Equal(got, tc.want) {
				t.Errorf("payload types %v, want %v", got, tc.want)
			}
		})
	}
}

func TestUnusableSectionsAreRejected(t *testing.T) {
	p := newTestPeer(t, newSFU(t, Config{}))
	unknown := video("v", "sendonly")
	unknown.formats, unknown.more = []string{"100 H266/90000"}, nil
	old := data("d")
	old.protocol = "DTLS/SCTP"
	answer, got := push(t, p, old, unknown, audio("a", "sendonly"))
	for i, rejected := range []bool{true, true, false} {
		if answer.Media[i].Rejected != rejected {
			t.Errorf("section %s rejected: %v, want %v", answer.Media[i].Mid, answer.Media[i].Rejected, rejected)
		}
	}
	if answer.Media[0].Kind != "application" || answer.Media[0].Protocol != "DTLS/SCTP" || !slices.Equal(answer.Bundle, []string{"a"}) {
		t.Errorf("answer %+v, bundle %v", answer.Media[0], answer.Bundle)
	}
	if len(got.Publications) != 1 || got.Publications["a"] == nil {
		t.Errorf("publications %v, want the audio track only", got.Publications)
	}
	onlyCandidatesIn(t, got.SDP, 2)
}

// onlyCandidatesIn checks that candidates stand in one section.
func onlyCandidatesIn(t *testing.T, text string, want int) {
	t.Helper()
	for i, part := range strings.Split(text, "\r\nm=")[1:] {
		if has := strings.Contains(part, "a=candidate:") && strings.Contains(part, "a=end-of-candidates"); has != (i == want) {
			t.Errorf("section %d has candidates: %v, want them in section %d\n%s", i, has, want, text)
		}
	}
	if strings.Count(text, "end-of-candidates") != 1 {
		t.Errorf("%d ends of candidates", strings.Count(text, "end-of-candidates"))
	}
}

func TestOnlyNamedMidsArePublished(t *testing.T) {
	p := newTestPeer(t, newSFU(t, Config{}))
	got, err := p.Answer(describe(t, audio("0", "sendonly"), video("1", "recvonly")), AnswerPlan{Publish: []string{"1", "7"}})
	must(t, err)
	if len(got.Publications) != 0 {
		t.Errorf("publications %v of mids that do not send", got.Publications)
	}
	if d := parse(t, got.SDP); d.Media[0].Direction() != "recvonly" || d.Media[1].Direction() != "inactive" {
		t.Errorf("answer %s, %s", d.Media[0].Direction(), d.Media[1].Direction())
	}
}

func TestPullOfferHasTheRecordedNumbers(t *testing.T) {
	s := newSFU(t, Config{})
	pub := newTestPeer(t, s)
	h264 := video("1", "sendonly")
	h264.formats = []string{"102 H264/90000", "103 102"}
	_, one := push(t, pub, audio("0", "sendonly"), h264, video("2", "sendonly"))
	sub := newTestPeer(t, s)
	got, err := sub.Offer(pulls(one.Publications["1"], one.Publications["0"], one.Publications["2"]))
	must(t, err)
	offer := parse(t, got.SDP)
	if want := []string{"0", "1", "2"}; !slices.Equal(mids(offer), want) || !slices.Equal(offer.Bundle, want) {
		t.Errorf("mids %v, bundle %v, want %v: they count from 0 in the order of the pulls", mids(offer), offer.Bundle, want)
	}
	for i, want := range [][]uint8{
		{125, 37, 98, 36, 96, 35, 116, 117, 45, 46},
		{111, 0, 8},
		{96, 35, 125, 37, 98, 36, 116, 117, 45, 46},
	} {
		m := &offer.Media[i]
		if !slices.Equal(pts(m), want) {
			t.Errorf("section %d has payload types %v, want %v", i, pts(m), want)
		}
		if m.Setup != "actpass" || m.Direction() != "sendonly" || m.ExtensionID(extTransportCC) != 0 || len(m.RIDs) != 0 {
			t.Errorf("section %d: %+v", i, m)
		}
		if len(m.Sources) != 1 || m.Sources[0].SSRC != got.Subscriptions[i].ssrc || got.Subscriptions[i].Mid() != m.Mid {
			t.Errorf("section %d announces %v", i, m.Sources)
		}
		if rtx := m.Sources[0].RTX; (rtx != 0) != (m.Kind == "video") {
			t.Errorf("section %d (%s) announces the repair stream %d", i, m.Kind, rtx)
		}
	}
	c := offer.Media[0].Codecs[0]
	if want := (sdp.Codec{PT: 125, Name: "H264", Clock: 90000, Parameter: h264Parameter, Feedback: []string{fbREMB, fbNACK, fbPLI, fbFIR}, RTX: 37}); !reflect.DeepEqual(c, want) {
		t.Errorf("first codec %+v, want %+v", c, want)
	}
	if opus := offer.Media[1].Codecs[0]; opus.Parameter != "minptime=10;useinbandfec=1" || opus.Channels != 2 {
		t.Errorf("opus %+v", opus)
	}
	stream := func(i int) string { id, _, _ := strings.Cut(offer.Media[i].MSID, " "); return id }
	if stream(0) != stream(1) || offer.Media[0].MSID == offer.Media[1].MSID || offer.Media[0].CName != stream(0) {
		t.Errorf("msids %q and %q: one stream for one publisher, one id for each track", offer.Media[0].MSID, offer.Media[1].MSID)
	}
	onlyCandidatesIn(t, got.SDP, 0)
}

func TestPullMidsContinueAboveTheEndpointsOwn(t *testing.T) {
	s := newSFU(t, Config{})
	pub := newTestPeer(t, s)
	_, got := push(t, pub, audio("0", "sendonly"), video("5", "sendonly"), video("name", "sendonly"))
	both, offered := newTestPeer(t, s), []string(nil)
	push(t, both, audio("name", "sendonly"), video("11", "sendonly"))
	for range 2 {
		d, _ := pull(t, both, got.Publications["0"])
		offered = mids(d)
	}
	if want := []string{"name", "11", "12", "13"}; !slices.Equal(offered, want) {
		t.Errorf("mids %v, want %v", offered, want)
	}
	d, _ := pull(t, pub, got.Publications["5"]) // one's own track, why not
	if want := []string{"0", "5", "name", "6"}; !slices.Equal(mids(d), want) {
		t.Errorf("mids %v, want %v", mids(d), want)
	}
}

func TestVersionRisesAndTheSessionStays(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	origin := func(text string) (id, version uint64) {
		var line string
		if _, err := fmt.Sscanf(strings.Split(text, "\r\n")[1], "o=- %d %d IN IP4 %s", &id, &version, &line); err != nil {
			t.Fatal(err)
		}
		return id, version
	}
	_, first := push(t, p, audio("0", "sendonly"))
	second, err := p.Offer(pulls(first.Publications["0"]))
	must(t, err)
	id1, v1 := origin(first.SDP)
	id2, v2 := origin(second.SDP)
	if id1 != id2 || v2 != v1+1 || id1 == 0 || id1>>63 != 0 {
		t.Errorf("origin %d %d, then %d %d", id1, v1, id2, v2)
	}
}

// meanings collects what every payload type and extension id says in a description; two meanings of one number are fatal
// in a BUNDLE group.
type meanings struct {
	pts  map[uint8]string
	exts map[uint8]string
}

func (m meanings) learn(t fataler, who string, d *sdp.Description) {
	set := func(table map[uint8]string, number uint8, meaning string) {
		if old, known := table[number]; known && old != meaning {
			t.Fatalf("%s: number %d means %q and %q", who, number, old, meaning)
		}
		table[number] = meaning
	}
	for i := range d.Media {
		here := map[uint8]bool{}
		for _, c := range d.Media[i].Codecs {
			set(m.pts, c.PT, fmt.Sprintf("%s/%d", strings.ToUpper(c.Name), c.Clock))
			if here[c.PT] {
				t.Fatalf("%s: payload type %d stands twice in section %d", who, c.PT, i)
			}
			here[c.PT] = true
			if c.RTX != 0 {
				set(m.pts, c.RTX, fmt.Sprintf("rtx of %d", c.PT))
				if here[c.RTX] {
					t.Fatalf("%s: payload type %d stands twice in section %d", who, c.RTX, i)
				}
				here[c.RTX] = true
			}
			if c.PT > 63 && c.PT < 96 {
				t.Fatalf("%s: payload type %d is RTCP's (RFC 5761 section 4)", who, c.PT)
			}
		}
		used := map[uint8]bool{}
		for _, e := range d.Media[i].Extensions {
			set(m.exts, e.ID, e.URI)
			if e.ID < 1 || e.ID > 14 || used[e.ID] {
				t.Fatalf("%s: extension id %d", who, e.ID)
			}
			used[e.ID] = true
		}
	}
}

// TestNumbersNeverCollideInASession: push with whatever numbers, then pull, then push and pull again.
func TestNumbersNeverCollideInASession(t *testing.T) {
	s := newSFU(t, Config{})
	source := newTestPeer(t, s)
	_, published := push(t, source, audio("0", "sendonly"), video("1", "sendonly"))
	rapid.Check(t, func(t *rapid.T) {
		p, err := s.NewPeer()
		must(t, err)
		defer func() { must(t, p.Close()) }()
		var free []uint8
		for pt := uint8(35); pt <= 127; pt++ {
			if pt < 64 || pt > 95 {
				free = append(free, pt)
			}
		}
		free = rapid.Permutation(free).Draw(t, "payload types")
		take := func() uint8 { pt := free[0]; free = free[1:]; return pt }
		ids := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}).Draw(t, "extension ids")
		draw := func(mid, kind string, names, uris []string) line {
			l := line{mid: mid, kind: kind, direction: "sendonly"}
			for _, name := range names {
				for range rapid.IntRange(0, 2).Draw(t, name) {
					pt := take()
					l.formats = append(l.formats, fmt.Sprintf("%d %s", pt, name))
					if kind == "video" && rapid.Bool().Draw(t, "rtx") {
						l.formats = append(l.formats, fmt.Sprintf("%d %d", take(), pt))
					}
				}
			}
			for i, uri := range uris {
				if rapid.Bool().Draw(t, "extension") {
					l.extensions = append(l.extensions, fmt.Sprintf("%d %s", ids[i], uri))
				}
			}
			return l
		}
		uris := []string{extMid, extAbsSendTime, extTransportCC, "urn:example:1", "urn:example:2", "urn:example:3", extAudioLevel, extRID, "urn:example:4"}
		lines := []line{
			draw("0", "audio", []string{"opus/48000/2", "red/48000/2", "telephone-event/8000", "L16/16000"}, uris[:7]),
			draw("1", "video", []string{"VP8/90000", "H264/90000", "VP9/90000", "AV1/90000", "H265/90000", "ulpfec/90000"}, uris[:6]),
		}
		if len(lines[0].formats)+len(lines[1].formats) == 0 {
			return
		}
		offer := describe(t, lines...)
		m := meanings{map[uint8]string{}, map[uint8]string{}}
		m.learn(t, "the endpoint", offer.sdp)
		answered, err := p.Answer(offer, AnswerPlan{Publish: []string{"0", "1"}})
		must(t, err)
		m.learn(t, "the answer", parse(t, answered.SDP))
		for range 2 {
			d, _ := pull(t, p, published.Publications["1"], published.Publications["0"])
			m.learn(t, "the offer", d)
			for i := range d.Media {
				if len(d.Media[i].Sources) > 0 && len(d.Media[i].Codecs) == 0 {
					t.Fatalf("section %d is offered without codecs", i)
				}
			}
		}
	})
}

func TestExhaustedNumbersLeaveCodecsOut(t *testing.T) {
	n := newNumbers()
	for pt := range 128 {
		if pt != 0 && pt != 8 {
			n.use(sdp.Codec{PT: uint8(pt), Name: fmt.Sprint("other", pt), Clock: 90000})
		}
	}
	for _, c := range offered(KindVideo) {
		if got := n.assign(c); got.PT != 0 {
			t.Errorf("%s got the payload type %d of something else", c.Name, got.PT)
		}
	}
	if got := n.assign(sdp.Codec{PT: 0, Name: "PCMU", Clock: 8000}); got.PT != 0 || n.formats[0].Name != "PCMU" {
		t.Errorf("PCMU lost its number 0 to %+v", n.formats[0])
	}
	for id := range uint8(14) {
		n.ids[id+1] = true
	}
	if got := n.assignExtensions(pullExtensions(KindAudio)); len(got) != 0 {
		t.Errorf("extensions %v although every id has a meaning", got)
	}
}

func TestPulledCodecsUseTheSessionsNumbers(t *testing.T) {
	s := newSFU(t, Config{})
	_, published := push(t, newTestPeer(t, s), video("0", "sendonly"))
	p := newTestPeer(t, s)
	own := video("0", "sendonly")
	own.formats = []string{"125 VP8/90000", "37 125", "98 H264/90000", "100 98", "96 VP9/90000"} // SFU numbers with other meanings
	own.more = []string{"a=fmtp:98 packetization-mode=0", "a=fmtp:96 profile-id=2"}
	own.extensions = []string{"4 " + extAbsSendTime, "2 urn:example:own"}
	push(t, p, own)
	d, _ := pull(t, p, published.Publications["0"])
	m := &d.Media[1]
	if vp8, _ := m.CodecByName("VP8"); vp8.PT != 125 || vp8.RTX != 37 {
		t.Errorf("VP8 %+v, want the endpoint's own 125 and 37", vp8)
	}
	for _, name := range []string{"H264", "VP9"} { // of a form that the SFU does not offer
		if c, _ := m.CodecByName(name); slices.Contains([]uint8{125, 37, 98, 100, 96}, c.PT) || c.PT == 0 {
			t.Errorf("%s has number %d", name, c.PT)
		}
	}
	if m.ExtensionID(extAbsSendTime) != 4 || len(m.Extensions) != 1 {
		t.Errorf("extensions %v", m.Extensions)
	}
}

func TestNegotiatedCloseOfTheFirstSection(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	_, got := push(t, p, audio("0", "sendonly"), video("1", "sendonly"))
	closed, kept := got.Publications["0"], got.Publications["1"]

	out, err := p.Answer(describe(t, audio("0", "inactive").stopped(), video("1", "sendonly")), AnswerPlan{Close: []string{"0"}})
	must(t, err)
	answer := parse(t, out.SDP)
	if !answer.Media[0].Rejected || answer.Media[1].Direction() != "recvonly" || !slices.Equal(answer.Bundle, []string{"1"}) {
		t.Errorf("answer %+v, bundle %v", answer.Media, answer.Bundle)
	}
	onlyCandidatesIn(t, out.SDP, 1)
	if !isDone(closed) || isDone(kept) {
		t.Errorf("closed track done: %v, the other: %v", isDone(closed), isDone(kept))
	}

	// No later offer of the SFU revives the section, nor does it reuse its mid.
	for range 2 {
		offer, err := p.Offer(pulls(kept))
		must(t, err)
		d := parse(t, offer.SDP)
		if !d.Media[0].Rejected || d.Media[0].Mid != "0" || d.Tag() != "1" || slices.Contains(d.Bundle, "0") {
			t.Errorf("a later offer: first section %+v, bundle %v", d.Media[0], d.Bundle)
		}
		onlyCandidatesIn(t, offer.SDP, 1)
		must(t, p.AcceptAnswer(reply(t, offer.SDP)))
	}

	// The endpoint may put a new section in its place.
	lines := []line{video("9", "sendonly"), video("1", "sendonly"), video("2", "recvonly"), video("3", "recvonly")}
	answer, again := push(t, p, lines...)
	if answer.Media[0].Rejected || answer.Media[0].Mid != "9" || again.Publications["9"] == nil {
		t.Errorf("a new section in the place: %+v", answer.Media[0])
	}
}

func isDone(pub *Publication) bool {
	select {
	case <-pub.Done():
		return true
	default:
		return false
	}
}

func TestCloseOfSeveralMidsWithOneStopped(t *testing.T) { // contract 1.6, partytracks
	p := newTestPeer(t, newSFU(t, Config{}))
	_, got := push(t, p, audio("0", "sendonly"), video("1", "sendonly"), audio("2", "sendonly"))
	out, err := p.Answer(describe(t, audio("0", "inactive").stopped(), video("1", "sendonly"), audio("2", "sendonly")),
		AnswerPlan{Close: []string{"0", "1"}})
	must(t, err)
	d := parse(t, out.SDP)
	if !d.Media[0].Rejected || d.Media[1].Direction() != "inactive" || d.Media[2].Direction() != "recvonly" {
		t.Errorf("answer %s, %s, %s", d.Media[0].Direction(), d.Media[1].Direction(), d.Media[2].Direction())
	}
	for mid, want := range map[string]bool{"0": true, "1": true, "2": false} {
		if isDone(got.Publications[mid]) != want {
			t.Errorf("track of mid %s done: %v, want %v", mid, !want, want)
		}
	}
}

func TestEveryPublicationEndsWithItsPeer(t *testing.T) {
	s := newSFU(t, Config{})
	p, err := s.NewPeer()
	must(t, err)
	_, first := push(t, p, audio("0", "sendonly"), video("1", "sendonly"))
	p.CloseMids("0")
	if !isDone(first.Publications["0"]) || isDone(first.Publications["1"]) {
		t.Error("a forced close ends the named track, and no other")
	}
	_, second := push(t, p, audio("0", "sendonly"), video("1", "sendonly")) // accepted, and nothing comes of it
	if second.Publications["0"] == nil {
		t.Fatal("a mid that was closed by force is not accepted again")
	}
	third, err := p.Answer(describe(t, audio("0", "sendonly"), video("1", "sendonly")), AnswerPlan{Publish: []string{"1"}})
	must(t, err)
	if !isDone(first.Publications["1"]) || isDone(third.Publications["1"]) {
		t.Error("a track that is published again replaces the one before")
	}
	must(t, p.Close())
	for name, pub := range map[string]*Publication{"on a stopped section": second.Publications["0"], "live": third.Publications["1"]} {
		if !isDone(pub) {
			t.Errorf("the track %s is not done after its Peer's Close", name)
		}
	}
}

func TestForcedCloseOfAnUnansweredPullLeavesTheExchange(t *testing.T) {
	s := newSFU(t, Config{})
	_, got := push(t, newTestPeer(t, s), video("0", "sendonly"))
	p := newTestPeer(t, s)
	offer, err := p.Offer(pulls(got.Publications["0"]))
	must(t, err)
	p.CloseMids("0", "unknown")
	if !p.OfferPending() {
		t.Error("a forced close completed the exchange")
	}
	must(t, p.AcceptAnswer(reply(t, offer.SDP)))
	if n := len(*got.Publications["0"].receives.Load()); n != 0 {
		t.Errorf("%d receivers of a pull that was closed before its answer", n)
	}
}

// TestFailedCallsChangeNothing walks a Peer through its exchange and calls at each point what must fail there.
func TestFailedCallsChangeNothing(t *testing.T) {
	s := newSFU(t, Config{})
	_, source := push(t, newTestPeer(t, s), video("0", "sendonly"), audio("1", "sendonly"))
	pubs := []*Publication{source.Publications["0"], source.Publications["1"]}
	p := newTestPeer(t, s)
	fails := func(when string, want error, call func() error) {
		t.Helper()
		before := p.snapshot()
		if err := call(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", when, err, want)
		}
		if after := p.snapshot(); after != before {
			t.Errorf("%s changed the session from\n%s\nto\n%s", when, before, after)
		}
	}
	answer := func(d *Description, plan AnswerPlan) func() error {
		return func() error { _, err := p.Answer(d, plan); return err }
	}
	accept := func(d *Description) func() error { return func() error { return p.AcceptAnswer(d) } }
	offer := func() error { _, err := p.Offer(pulls(pubs...)); return err }

	fails("an answer on a new session", ErrNoOfferPending, accept(describe(t, audio("0", "recvonly"))))
	push(t, p, audio("0", "sendonly"), video("1", "sendonly"))
	fails("an answer to nothing", ErrNoOfferPending, accept(describe(t, audio("0", "sendonly"), video("1", "sendonly"))))
	all := AnswerPlan{Publish: []string{"0", "1", "2", "3"}, Close: []string{"0", "1"}}
	fails("fewer sections", ErrSDPMismatch, answer(describe(t, audio("0", "sendonly")), all))
	fails("other order", ErrSDPMismatch, answer(describe(t, video("1", "sendonly"), audio("0", "sendonly")), all))
	fails("another mid", ErrSDPMismatch, answer(describe(t, audio("0", "sendonly"), video("2", "sendonly")), all))
	fails("another kind", ErrSDPMismatch, answer(describe(t, audio("0", "sendonly"), audio("1", "sendonly")), all))

	pending, err := p.Offer(pulls(pubs...))
	must(t, err)
	if !p.OfferPending() {
		t.Error("no offer is pending after Offer")
	}
	lines := []line{audio("0", "sendonly"), video("1", "sendonly"), video("2", "recvonly"), audio("3", "recvonly")}
	fails("an offer during an offer", ErrOfferPending, answer(describe(t, lines...), all))
	fails("a pull during an offer", ErrOfferPending, offer)
	fails("an answer with fewer sections", ErrSDPMismatch, accept(describe(t, lines[:3]...)))
	fails("an answer with more sections", ErrSDPMismatch, accept(describe(t, append(slices.Clone(lines), audio("4", "recvonly"))...)))
	fails("an answer with another mid", ErrSDPMismatch, accept(describe(t, lines[0], lines[1], lines[2], audio("x", "recvonly"))))
	lacking := reply(t, pending.SDP, func(i int, m *sdp.Media) {
		if i == 2 {
			m.Codecs = slices.DeleteFunc(m.Codecs, func(c sdp.Codec) bool { return c.Is("VP8") })
		}
	})
	fails("an answer without the codec", ErrCodecMissing, accept(lacking))
	refusing := reply(t, pending.SDP, func(i int, m *sdp.Media) { m.Rejected = m.Rejected || i == 3 })
	refusing.sdp.Media[3].Codecs = nil
	fails("an answer that refuses a pull", ErrCodecMissing, accept(refusing))

	must(t, p.AcceptAnswer(reply(t, pending.SDP)))
	if p.OfferPending() {
		t.Error("the offer is still pending after its answer")
	}
	fails("the answer again", ErrNoOfferPending, accept(reply(t, pending.SDP)))
	must(t, p.Close())
	fails("an offer after Close", ErrClosed, answer(describe(t, lines...), all))
	fails("a pull after Close", ErrClosed, offer)
	fails("an answer after Close", ErrClosed, accept(reply(t, pending.SDP)))
}

func TestDTLSRoleStays(t *testing.T) {
	s := newSFU(t, Config{})
	_, source := push(t, newTestPeer(t, s), audio("0", "sendonly"))
	for name, tc := range map[string]struct {
		first, later string
		want         string
	}{
		"endpoint leaves it open":   {"actpass", "actpass", "passive"},
		"endpoint is client":        {"active", "actpass", "passive"},
		"endpoint is server":        {"passive", "actpass", "active"},
		"endpoint changes its mind": {"actpass", "passive", "passive"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTestPeer(t, s)
			for i, setup := range []string{tc.first, tc.later} {
				answer, _ := push(t, p, audio("0", "sendonly").set(setup))
				if got := answer.Media[0].Setup; got != tc.want {
					t.Errorf("answer %d to %s: %s, want %s", i, setup, got, tc.want)
				}
			}
			offer, err := p.Offer(pulls(source.Publications["0"]))
			must(t, err)
			if got := parse(t, offer.SDP).Media[1].Setup; got != "actpass" {
				t.Errorf("an offer says %s, want actpass", got)
			}
		})
	}
	t.Run("as the first answer decided", func(t *testing.T) {
		p := newTestPeer(t, s)
		offer, err := p.Offer(pulls(source.Publications["0"]))
		must(t, err)
		must(t, p.AcceptAnswer(reply(t, offer.SDP, func(_ int, m *sdp.Media) { m.Setup = "passive" })))
		answer, _ := push(t, p, audio("0", "recvonly"), audio("1", "sendonly"))
		if got := answer.Media[1].Setup; got != "active" {
			t.Errorf("a later answer says %s, want active", got)
		}
	})
}

func TestAnswerToSimulcastReceivesItsLayers(t *testing.T) {
	p := newTestPeer(t, newSFU(t, Config{}))
	answer, got := push(t, p, video("0", "sendonly").with("a=rid:f send", "a=rid:h send", "a=rid:q send", "a=simulcast:send f;h;q"))
	for _, l := range []string{"a=rid:f recv\r\n", "a=rid:h recv\r\n", "a=rid:q recv\r\n", "a=simulcast:recv f;h;q\r\n"} {
		if !strings.Contains(got.SDP, l) {
			t.Errorf("answer lacks %q", l)
		}
	}
	if answer.Media[0].Direction() != "recvonly" {
		t.Errorf("direction %s", answer.Media[0].Direction())
	}
}

func TestPullThatTheEndpointDoesNotTakeGetsNothing(t *testing.T) {
	s := newSFU(t, Config{})
	_, got := push(t, newTestPeer(t, s), video("0", "sendonly"), audio("1", "sendonly"))
	p := newTestPeer(t, s)
	offer, err := p.Offer(pulls(got.Publications["0"], got.Publications["1"]))
	must(t, err)
	must(t, p.AcceptAnswer(reply(t, offer.SDP, func(i int, m *sdp.Media) { m.Receives = m.Receives && i == 1 })))
	receivers := func(mid string) int { return len(*got.Publications[mid].receives.Load()) }
	if receivers("0") != 0 || receivers("1") != 1 {
		t.Errorf("receivers %d and %d, want 0 and 1", receivers("0"), receivers("1"))
	}
	// It may take it later, with an offer of its own, and drop it again.
	push(t, p, video("0", "recvonly"), audio("1", "recvonly"))
	if receivers("0") != 1 || receivers("1") != 1 {
		t.Errorf("receivers %d and %d, want 1 and 1", receivers("0"), receivers("1"))
	}
	push(t, p, video("0", "inactive"), audio("1", "inactive").stopped())
	if receivers("0") != 0 || receivers("1") != 0 {
		t.Errorf("receivers %d and %d, want 0 and 0", receivers("0"), receivers("1"))
	}
}

func TestMediaOfADescription(t *testing.T) {
	d := describe(t, audio("a", "sendonly"), video("v", "inactive").stopped(), data("d"), video("w", "recvonly"))
	want := []Media{
		{Mid: "a", Kind: KindAudio, Sends: true},
		{Mid: "v", Kind: KindVideo, Rejected: true},
		{Mid: "d", Kind: KindData},
		{Mid: "w", Kind: KindVideo, Receives: true},
	}
	if got := d.Media(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for text, want := range map[string]error{"x\r\n": ErrSDPSyntax, "v=0": ErrSDPLineEnd} {
		if _, err := ParseDescription(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// pulls is the plan of an offer that brings these tracks.
func pulls(pubs ...*Publication) OfferPlan {
	var plan OfferPlan
	for _, pub := range pubs {
		plan.Pulls = append(plan.Pulls, Pull{Publication: pub})
	}
	return plan
}
