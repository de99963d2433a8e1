package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"image/jpeg"
	"math"
	"net/http"
	"regexp"
	"slices"
	"sync"

	pionopus "github.com/pion/opus"
	"github.com/pion/rtp"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// sessionIDs is the form of session and adapter ids (contract 0.3).
var sessionIDs = regexp.MustCompile(`^[0-9a-f]{32}$`)

func adapterMediaCases() []Case {
	ops := []string{"newAdapters"}
	needs := []Need{Endpoints}
	return []Case{
		{
			ID: "adapters/pcm-out", Sentence: "An Opus track arrives as stereo PCM of 48 kHz, frame by frame, numbered, with the tones on their channels.",
			Section: "5.1, 5.3", Mark: Doc, Operations: ops, Needs: needs, Run: adaptersPCMOut,
		},
		{
			ID: "adapters/zeros", Sentence: "Of a message whose timestamp is 0 the field is left out.",
			Section: "5.3", Mark: Inferred, EmulatorOnly: true, Operations: ops, Needs: needs, Run: adaptersZeros,
		},
		{
			ID: "adapters/pcm-in", Sentence: "An utterance that is sent at once is heard in real time, whole, with the tones on their channels, between silence.",
			Section: "5.3, 11 flow 12", Mark: Seen, Operations: ops, Needs: needs, Run: adaptersPCMIn,
		},
		{
			ID: "adapters/jpeg-out", Sentence: "A video track arrives as whole JPEGs of its size and colours, about one a second.",
			Section: "5.3, 6", Mark: Doc, Operations: ops, Needs: needs, Run: adaptersJPEGOut,
		},
	}
}

// opusTones is a track that sends 440 Hz on the left and 1 kHz on the right.
func (t *T) opusTones() named {
	content, err := sfutest.OpusTone(440, 1000)
	t.Must(err)
	return named{"mic", sfutest.Track{Codec: sfutest.Opus, Content: content}}
}

func adaptersPCMOut(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	item := t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
	if item.TrackName != "mic" || item.Endpoint != e.url || !sessionIDs.MatchString(item.AdapterID) || item.SessionID != "" {
		t.Errorf("the item is %+v", item)
	}
	s := e.socket(ctx)
	var pcm []int16
	var last wsPacket
	for i := range 90 {
		p := t.mustNext(ctx, s)
		samples := len(p.payload) / 4
		if len(p.payload)%4 != 0 || samples == 0 {
			t.Fatalf("message %d has %d bytes", i, len(p.payload))
		}
		if t.target.Emulator && samples != sfutest.FrameSamples {
			t.Errorf("message %d has %d samples a channel, want a frame of 20 ms", i, samples)
		}
		if i > 0 && (p.sequence != last.sequence+1 || p.timestamp != last.timestamp+uint32(len(last.payload)/4)) {
			t.Fatalf("message %d is %d at %d, after %d at %d", i, p.sequence, p.timestamp, last.sequence, last.timestamp)
		}
		for j := range 2 * samples {
			pcm = append(pcm, int16(binary.LittleEndian.Uint16(p.payload[2*j:])))
		}
		last = p
	}
	t.Must(sfutest.HearTones(pcm[len(pcm)/4:], 440, 1000))
}

// adaptersZeros has the timestamps of a track go through 0 while an adapter sends it; next refuses a zero on the wire. (The number of
// the first JPEG is 0, so the cases about pictures show the same of numbers.)
func adaptersZeros(ctx context.Context, t *T) {
	for frames := uint32(200); ; frames *= 2 { // until 0 comes, for which the adapter has to be there
		track := t.opusTones()
		track.Timestamp = -frames * sfutest.FrameSamples
		pub, _ := t.publish(ctx, sfutest.Config{}, track)
		e := t.endpoint()
		t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
		s := e.socket(ctx)
		p := t.mustNext(ctx, s)
		if int32(p.timestamp) >= 0 {
			t.Logf("the adapter came too late for frame %d", frames)
			continue
		}
		for int32(p.timestamp) < 0 {
			p = t.mustNext(ctx, s)
		}
		if p.timestamp != 0 {
			t.Errorf("no message has the timestamp 0, the first one after that has %d", p.timestamp)
		}
		return
	}
}

// recorder decodes the Opus of a subscriber, by a decoder that is none of the emulator's.
type recorder struct {
	mu      sync.Mutex
	decoder pionopus.Decoder
	pcm     []int16
	bad     error
}

func (t *T) record(s *sfutest.Subscriber) *recorder {
	decoder, err := pionopus.NewDecoderWithOutput(sfutest.SampleRate, 2)
	t.Must(err)
	r := &recorder{decoder: decoder}
	buffer := make([]int16, 2*5760)
	s.Listen(func(p *rtp.Packet) {
		r.mu.Lock()
		defer r.mu.Unlock()
		n, err := r.decoder.DecodeToInt16(p.Payload, buffer)
		if err != nil {
			r.bad = err
			return
		}
		r.pcm = append(r.pcm, buffer[:2*n]...)
	})
	return r
}

func (r *recorder) heard() ([]int16, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pcm), r.bad
}

// speak sends PCM as the speech example does: at once, in pieces of 16 KB.
func (t *T) speak(ctx context.Context, s *socket, pcm []int16) {
	var raw []byte
	for _, sample := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(sample))
	}
	for piece := range slices.Chunk(raw, 16384) {
		t.Must(s.send(ctx, piece))
	}
}

func adaptersPCMIn(ctx context.Context, t *T) {
	e := t.endpoint()
	item := ingestItem(e.url)
	item.Mode = "buffer" // as older clients send it
	made := t.adapter(ctx, item)
	s := e.socket(ctx)
	x := t.do(ctx, call{Method: http.MethodGet, Path: "/sessions/" + made.SessionID}).want(http.StatusOK)
	if got := x.item(0); got.Location != "local" || got.TrackName != "speech" || got.Status != "active" {
		t.Errorf("GET lists %+v", got)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(made.SessionID, "speech"))
	r := t.record(subs[0])
	said := sfutest.Tone(440, 1000, 2*sfutest.SampleRate)
	_, err := subs[0].WaitMore(ctx, 10)
	t.Must(err)
	t.speak(ctx, s, said)
	var pcm []int16
	t.eventually(ctx, "the end of the utterance is heard", func() bool {
		pcm, err = r.heard()
		t.Must(err)
		_, to := sfutest.Loud(pcm)
		return to > 0 && len(pcm)/2 > to+sfutest.SampleRate/2
	})
	from, to := sfutest.Loud(pcm)
	if length := to - from; length < len(said)/2-sfutest.FrameSamples || length > len(said)/2+2*sfutest.FrameSamples {
		t.Errorf("%d samples are heard of %d", length, len(said)/2)
	}
	t.Must(sfutest.HearTones(pcm[2*(from+sfutest.SampleRate/5):2*(to-sfutest.FrameSamples)], 440, 1000))
}

func adaptersJPEGOut(ctx context.Context, t *T) {
	e := t.endpoint()
	card := named{"cam", sfutest.Track{Codec: sfutest.VP8, Content: sfutest.VP8Card()}}
	pub, sent := t.publish(ctx, sfutest.Config{}, card)
	t.adapter(ctx, egressItem(pub.ID, "cam", e.url, "jpeg"))
	s := e.socket(ctx)
	var last wsPacket
	before := sent[0].Stats().PLIs
	const pictures = 4
	for i := range pictures {
		p := t.mustNext(ctx, s)
		picture, err := jpeg.Decode(bytes.NewReader(p.payload))
		if err != nil {
			t.Fatalf("message %d is no JPEG: %v", i, err)
		}
		if got := picture.Bounds(); got.Dx() != sfutest.CardWidth || got.Dy() != sfutest.CardHeight {
			t.Fatalf("the picture is %v, the video %d by %d", got, sfutest.CardWidth, sfutest.CardHeight)
		}
		for quarter, want := range sfutest.CardColours() {
			at := [2]int{sfutest.CardWidth/4 + quarter%2*sfutest.CardWidth/2, sfutest.CardHeight/4 + quarter/2*sfutest.CardHeight/2}
			r, g, b, _ := picture.At(at[0], at[1]).RGBA()
			for c, pair := range [][2]uint32{{r >> 8, uint32(want.R)}, {g >> 8, uint32(want.G)}, {b >> 8, uint32(want.B)}} {
				if math.Abs(float64(pair[0])-float64(pair[1])) > 12 {
					t.Errorf("picture %d, quarter %d: colour %d is %d, the video has %d", i, quarter, c, pair[0], pair[1])
				}
			}
		}
		if i > 0 && int32(p.timestamp-last.timestamp) < 45000 {
			t.Errorf("picture %d comes %d/90000 s after the one before", i, int32(p.timestamp-last.timestamp))
		}
		last = p
	}
	if asked := sent[0].Stats().PLIs - before; asked > pictures+2 {
		t.Errorf("%d pictures made the publisher get %d key frame requests", pictures, asked)
	}
}
