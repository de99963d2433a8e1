package conformance

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/stun/v4"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// ruleCases prove single lines of the contract that no larger case does.
func ruleCases() []Case {
	return []Case{
		{
			ID: "session/read-beside", Sentence: "GET is answered at once while a mutation of the session waits.",
			Section: "1.7", Mark: Doc, Operations: []string{"getSession"}, Run: ruleReadBeside,
		},
		{
			ID: "session/in-order", Sentence: "Mutations of one session run one after another, those of another session beside them.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Needs: []Need{TakesOverlaps}, Operations: []string{"closeTracks"}, Run: ruleInOrder,
		},
		{
			ID: "pull/sdp-lines", Sentence: "Descriptions grow in version, have rtcp-mux, ask for repair, and do not tell track names.",
			Section: "3.1", Mark: Recorded, Operations: []string{"newTracks"}, Run: ruleSDPLines,
		},
		{
			ID: "pull/ipv4", Sentence: "The SFU's candidates are of IPv4 alone.",
			Section: "3.1", Mark: Recorded, Needs: []Need{IPv4Media}, Operations: []string{"newTracks"}, Run: ruleIPv4,
		},
		{
			ID: "codec/payload-types", Sentence: "The SFU's offers use the recorded payload types, RTX included.",
			Section: "3.2", Mark: Recorded, Operations: []string{"newTracks"}, Run: rulePayloadTypes,
		},
		{
			ID: "turn/binding", Sentence: "Both the STUN and the TURN address answer a STUN Binding.",
			Section: "7.1", Mark: Doc, Needs: []Need{TURN}, Operations: []string{"generateIceServers"}, Run: ruleBinding,
		},
	}
}

// besides sends a call that waits, and gives a function that waits for its status. It must not be a call that the schema refuses. The
// exchange is recorded when that function is called, or at the end of the case.
func (t *T) besides(ctx context.Context, c call) (status func() int) {
	ctx, cancel := context.WithCancel(ctx)
	body := t.encode(c.Body)
	request, err := t.request(ctx, c, body)
	t.Must(err)
	t.Must(t.queue(ctx, request))
	type outcome struct {
		answered
		err error
	}
	begun, done := time.Now(), make(chan outcome, 1)
	go func() {
		a, err := t.exchange(request)
		a.elapsed = time.Since(begun)
		done <- outcome{a, err}
	}()
	finish := sync.OnceValues(func() (int, error) {
		got := <-done
		return t.keep(request, body, begun, got.answered, got.err).status, got.err
	})
	t.Cleanup(func() { cancel(); _, _ = finish() })
	return func() int {
		status, err := finish()
		t.Must(err)
		return status
	}
}

// waiting is a connected subscriber whose pull of a silent track waits.
func (t *T) waiting(ctx context.Context) (sub *client, status func() int) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), silent(cam()))
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	status = t.besides(ctx, call{Method: http.MethodPost, Path: sub.path("/tracks/new"), Body: tracksBody{Tracks: []trackItem{remote(pub.ID, "cam")}}})
	return sub, status
}

func ruleReadBeside(ctx context.Context, t *T) {
	sub, status := t.waiting(ctx)
	for range 10 { // the first may come before the pull
		t.between(sub.state(ctx).want(http.StatusOK), 0, 2*time.Second)
	}
	if got := status(); got != http.StatusOK {
		t.Errorf("the pull that waited is answered %d", got)
	}
}

func ruleInOrder(ctx context.Context, t *T) {
	sub, status := t.waiting(ctx)
	free, _ := t.publish(ctx, sfutest.Config{}, mic()) // what it takes lets the pull arrive first
	free.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK)
	x := sub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK).wantItemFields(0, "mid")
	if x.Elapsed < 4*time.Second {
		t.Errorf("a close ran after %s, while the pull before it waited (contract 2.2)", x.Elapsed.Round(time.Millisecond))
	}
	if got := status(); got != http.StatusOK {
		t.Errorf("the pull that waited is answered %d", got)
	}
}

// version is that of the o= line.
func version(sdp string) int {
	fields := strings.Fields(strings.Join(sdpLines(sdp, "o="), " "))
	if len(fields) < 3 {
		return -1
	}
	n, err := strconv.Atoi(fields[2])
	if err != nil {
		return -1
	}
	return n
}

func ruleIPv4(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	offer := t.client(ctx, sfutest.Config{}).requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).sdp("offer")
	candidates := sdpLines(offer, "a=candidate:")
	if len(candidates) == 0 {
		t.Errorf("the offer has no candidate (contract 3.1):\n%s", offer)
	}
	for _, candidate := range candidates {
		if fields := strings.Fields(candidate); len(fields) < 5 || strings.Contains(fields[4], ":") {
			t.Errorf("a candidate that is not of IPv4: %s (contract 3.1)", candidate)
		}
	}
}

func ruleSDPLines(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic"), remote(pub.ID, "cam")).want(http.StatusOK)
	first := x.sdp("offer")
	sub.answer(ctx, x)
	second := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).sdp("offer")
	if a, b := version(first), version(second); a < 1_000_000_000 || b <= a {
		t.Errorf("versions are %d and %d, want seconds since 1970, growing (contract 3.1)", a, b)
	}
	parts := sdpParts(first)
	for _, section := range parts[1:] {
		if !hasLine(section, "a=rtcp-mux") {
			t.Errorf("a section lacks rtcp-mux (contract 3.1):\n%s", section)
		}
		for _, msid := range append(sdpLines(section, "a=msid:"), sdpLines(section, "a=ssrc:")...) {
			if strings.Contains(msid, "mic") && strings.Contains(msid, " mic") || strings.HasSuffix(msid, " cam") {
				t.Errorf("the name of the track stands in %q (contract 3.1)", msid)
			}
		}
	}
	feedback := sdpLines(parts[2], "a=rtcp-fb:96 ")
	for _, want := range []string{"nack", "nack pli"} {
		if !slices.Contains(feedback, want) {
			t.Errorf("video has the feedback %q, want %q among it (contract 3.1)", feedback, want)
		}
	}
}

func rulePayloadTypes(ctx context.Context, t *T) {
	for _, tc := range []struct {
		codec      sfutest.Codec
		line, more string // one of the format, and one of its RTX or fmtp
	}{
		{sfutest.Opus, "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1"},
		{sfutest.PCMU, "a=rtpmap:0 PCMU/8000", ""},
		{sfutest.PCMA, "a=rtpmap:8 PCMA/8000", ""},
		{sfutest.H264, "a=rtpmap:125 H264/90000", "a=fmtp:37 apt=125"},
		{sfutest.VP9, "a=rtpmap:98 VP9/90000", "a=fmtp:36 apt=98"},
		{sfutest.VP8, "a=rtpmap:96 VP8/90000", "a=fmtp:35 apt=96"},
		{sfutest.H265, "a=rtpmap:116 H265/90000", "a=fmtp:117 apt=116"},
		{sfutest.AV1, "a=rtpmap:45 AV1/90000", "a=fmtp:46 apt=45"},
	} {
		pub, _ := t.publish(ctx, sfutest.Config{}, named{"track", sfutest.Track{Codec: tc.codec}})
		sub := t.client(ctx, sfutest.Config{})
		offer := sub.requestPull(ctx, remote(pub.ID, "track")).want(http.StatusOK).sdp("offer")
		if !hasLine(offer, tc.line) || tc.more != "" && !hasLine(offer, tc.more) {
			t.Errorf("the offer of a track of %s lacks %q or %q (contract 3.2):\n%s", tc.codec, tc.line, tc.more, offer)
		}
	}
	pub, _ := t.publish(ctx, sfutest.Config{}, named{"track", sfutest.Track{Codec: sfutest.H264}})
	offer := t.client(ctx, sfutest.Config{}).requestPull(ctx, remote(pub.ID, "track")).want(http.StatusOK).sdp("offer")
	if want := "a=fmtp:125 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034"; !hasLine(offer, want) {
		t.Errorf("the offer of H.264 lacks %q (contract 3.2):\n%s", want, offer)
	}
}

func ruleBinding(ctx context.Context, t *T) {
	list := t.do(ctx, generate("/generate-ice-servers", credentialsBody{TTL: 60})).want(http.StatusCreated).iceServers()
	turnURL, found := list[1].over("udp")
	if !found {
		t.Fatalf("no TURN over UDP in %q", list[1].URLs)
	}
	for _, url := range []string{list[0].URLs[0], turnURL} {
		_, rest, _ := strings.Cut(url, ":")
		addr, _, _ := strings.Cut(rest, "?")
		client, err := stun.Dial("udp4", addr)
		t.Must(err)
		var seen stun.XORMappedAddress
		err = client.Do(stun.MustBuild(stun.TransactionID, stun.BindingRequest), func(e stun.Event) {
			if e.Error == nil {
				e.Error = seen.GetFrom(e.Message)
			}
			if e.Error != nil {
				t.Errorf("%s: %v (contract 7.1)", url, e.Error)
			}
		})
		t.Must(err)
		t.Must(client.Close())
		if seen.Port == 0 {
			t.Errorf("%s: no mapped address in the answer to a Binding (contract 7.1)", url)
		}
	}
}
