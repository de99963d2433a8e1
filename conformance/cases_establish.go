package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

const rowEstablish = "decoding_error/400 establish"

func establishCases() []Case {
	return []Case{
		{
			ID: "establish/offered", Sentence: "Without SDP the SFU offers a transport for data and opens server-events in band on id 0.",
			Section: "1.9, 2.2, 4.1", Mark: Doc, Operations: []string{"establishDataChannels"}, Run: establishOffered,
		},
		{
			ID: "establish/answered", Sentence: "An offer with m=application is answered, and the client's in-band channel is acknowledged and stays open.",
			Section: "1.9, 4.1", Mark: Doc, Operations: []string{"establishDataChannels"}, Run: establishAnswered,
		},
		{
			ID: "establish/spellings", Sentence: "The key datachannel and a list of one are accepted.",
			Section: "1.9", Mark: Seen, Operations: []string{"establishDataChannels"}, Run: establishSpellings,
		},
		{
			ID: "establish/repeated", Sentence: "A session has one transport for data: a second call is a decoding error.",
			Section: "1.9, 2.2", Mark: Doc, Codes: []string{rowEstablish}, Run: establishRepeated,
		},
		{
			ID: "establish/media-has-data", Sentence: "A media offer with m=application makes establish needless, and an error.",
			Section: "1.9", Mark: Doc, Codes: []string{rowEstablish}, Run: establishNeedless,
		},
		{
			ID: "establish/no-section", Sentence: "An offer without m=application is a decoding error, and the session goes on.",
			Section: "1.9", Mark: Inferred, Codes: []string{rowEstablish}, Run: establishNoSection,
		},
		{
			ID: "establish/values", Sentence: "Only server-events can be established, by an offer or none; a request without a channel does not decode.",
			Section: "1.9, 1.0", Mark: Inferred, Run: establishValues,
			Codes: []string{"invalid_params/406 establish", "invalid_params/406 offer expected", "decoding_error/400"},
		},
		{
			ID: "establish/overlap", Sentence: "While an offer is open, establish is refused.",
			Section: "2.2", Mark: Inferred, Codes: []string{"invalid_session_description/406 overlap"}, Run: establishOverlap,
		},
	}
}

func establishOffered(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	x := c.establish(ctx, establishBody{DataChannel: serverEvents()}).want(http.StatusOK).wantRenegotiation(true)
	if d := x.Body.DataChannel; d == nil || d.DataChannelName != "server-events" || d.ID == nil || *d.ID != 0 {
		t.Errorf("%s: dataChannel is %+v", x, d)
	}
	if offer := x.sdp("offer"); !strings.Contains(offer, "\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n") ||
		!strings.Contains(offer, "\r\na=sctp-port:5000\r\n") || !strings.Contains(offer, "\r\na=mid:0\r\n") {
		t.Errorf("the offer has no data section with mid 0:\n%s", offer)
	}
	c.answer(ctx, x)
	channel, err := c.Peer.Incoming(ctx, "server-events")
	t.Must(err)
	t.Must(channel.WaitOpen(ctx))
	if id := channel.Stats().ID; id != 0 {
		t.Errorf("server-events is on id %d", id)
	}
	t.Must(channel.SendText("swallowed"))
	t.linkedWithItself(ctx, c)
	if s := channel.Stats(); s.Closed || s.Count != 0 {
		t.Errorf("server-events afterwards: closed %t, %d messages", s.Closed, s.Count)
	}
}

// linkedWithItself publishes on c and checks that another client hears it.
func (t *T) linkedWithItself(ctx context.Context, c *client) {
	publisher := c.allocate(ctx, localChannel("any"))
	other := t.dataClient(ctx)
	t.linked(ctx, "any", publisher, other.allocate(ctx, remoteChannel(c.ID, "any")))
}

func establishAnswered(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	inband, err := c.Peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
	t.Must(err)
	x := c.establish(ctx, establishBody{DataChannel: serverEvents(), SessionDescription: offerOf(c.offer(ctx))}).
		want(http.StatusOK).wantRenegotiation(false)
	answer := x.sdp("answer")
	if !strings.Contains(answer, "\r\na=setup:passive\r\n") {
		t.Errorf("the client is not the DTLS client (contract 3.1):\n%s", answer)
	}
	t.Must(c.Peer.SetAnswer(answer))
	if err := inband.WaitOpen(ctx); err != nil { // which takes the acknowledgement: sending is possible before
		t.Fatalf("the DCEP OPEN of the client's channel is not acknowledged (contract 4.1): %v", err)
	}
	t.Must(inband.SendText("swallowed"))
	if d, id := x.Body.DataChannel, inband.Stats().ID; d == nil || d.ID == nil || *d.ID != 0 || id != 0 {
		t.Errorf("%s: the channel has id %d, want 0: %s", x, id, short(x.Raw))
	}
	t.linkedWithItself(ctx, c)
	if inband.Stats().Closed {
		t.Errorf("the in-band channel was closed")
	}
}

func establishSpellings(ctx context.Context, t *T) {
	for name, body := range inOrder(map[string]establishBody{
		"datachannel":  {Misspelt: serverEvents()},
		"list of one":  {List: []channelItem{*serverEvents()}},
		"no location":  {DataChannel: &channelItem{DataChannelName: "server-events"}},
		"the ordinary": {DataChannel: serverEvents()},
	}) {
		c := t.client(ctx, sfutest.Config{})
		x := c.establish(ctx, body).want(http.StatusOK).wantRenegotiation(true)
		if x.Body.DataChannel == nil || x.Body.DataChannel.DataChannelName != "server-events" {
			t.Errorf("%s: %s", name, short(x.Raw))
		}
	}
}

func establishRepeated(ctx context.Context, t *T) {
	c := t.dataClient(ctx)
	c.establish(ctx, establishBody{DataChannel: serverEvents()}).wantError(rowEstablish)
	t.linkedWithItself(ctx, c)
}

func establishNeedless(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	_, err := c.Peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
	t.Must(err)
	c.push(ctx, mic())
	c.connected(ctx)
	c.establish(ctx, establishBody{DataChannel: serverEvents()}).wantError(rowEstablish)
	t.linkedWithItself(ctx, c)
}

func establishNoSection(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic())
	c.establish(ctx, establishBody{DataChannel: serverEvents(), SessionDescription: body.SessionDescription}).wantError(rowEstablish)
	x := c.postTracks(ctx, body).want(http.StatusOK)
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	c.connected(ctx)
}

func establishValues(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	post := func(body any, why string) *exchange {
		return t.do(ctx, call{Method: http.MethodPost, Path: c.path("/datachannels/establish"), Body: body, Malformed: why})
	}
	post(`{"dataChannel":{"location":"remote","dataChannelName":"chat"}}`, "another name").wantError("invalid_params/406 establish")
	post(`{"dataChannel":{"location":"local","dataChannelName":"server-events"}}`, "local").wantError("invalid_params/406 establish")
	post(`{"dataChannel":{"dataChannelName":"server-events"},"sessionDescription":{"type":"answer","sdp":"v=0\r\n"}}`, "an answer").
		wantError("invalid_params/406 offer expected")
	for _, body := range []string{`{}`, `{"dataChannel":null}`, `{"dataChannel":"server-events"}`, `{"dataChannel":{}}`, `{"dataChannels":[]}`,
		`{"dataChannel":{"dataChannelName":7}}`, `{"dataChannels":[{"dataChannelName":"server-events"},{"dataChannelName":"server-events"}]}`, `[`} {
		post(body, "no channel").wantError("decoding_error/400")
	}
	c.establishOffered(ctx)
	c.connected(ctx)
}

func establishOverlap(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	x := c.establish(ctx, establishBody{DataChannel: serverEvents()}).want(http.StatusOK)
	c.establish(ctx, establishBody{DataChannel: serverEvents()}).wantError("invalid_session_description/406 overlap")
	c.answer(ctx, x)
	c.connected(ctx)
}
