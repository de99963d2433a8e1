package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func adapterRuleCases() []Case {
	ops, needs := []string{"newAdapters"}, []Need{Endpoints}
	return []Case{
		{
			ID: "adapters/repeated", Sentence: "Making an adapter is not idempotent: the same request again makes a second one, which works beside the first.",
			Section: "5.1", Mark: Doc, Operations: ops, Needs: needs, Run: adaptersRepeated,
		},
		{
			ID: "adapters/framing", Sentence: "Of what an endpoint sends all but the payload, and text, is ignored, pings are answered; mode and the fields of egress are not looked at.",
			Section: "5.1, 5.3", Mark: Inferred, Operations: ops, Needs: needs, Run: adaptersFraming,
		},
		{
			ID: "adapters/gap-audio", Sentence: "After a gap the audio goes on with the last that was said during it: a short backlog drops its oldest.",
			Section: "5.4", Mark: Doc, Operations: ops, Needs: needs, Run: adaptersGapAudio,
		},
		{
			ID: "adapters/gap-video", Sentence: "After a gap the first picture is the newest.",
			Section: "5.4", Mark: Doc, Operations: ops, Needs: needs, Run: adaptersGapVideo,
		},
		{
			ID: "flow/12-adapters", Sentence: "Flow 12: an utterance goes in and out again; a newer socket supersedes the older one, and closing counts as done.",
			Section: "11 flow 12", Mark: Seen, Operations: []string{"newAdapters", "closeAdapters"}, Needs: needs, Run: flowAdapters,
		},
	}
}

func adaptersRepeated(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	item := egressItem(pub.ID, "mic", e.url, "pcm")
	first, second := t.adapter(ctx, item), t.adapter(ctx, item)
	if first.AdapterID == second.AdapterID {
		t.Errorf("the same request again gives the same adapter (contract 5.1)")
	}
	for range 2 {
		t.mustNext(ctx, e.socket(ctx))
	}
}

func adaptersFraming(ctx context.Context, t *T) {
	e := t.endpoint()
	item := ingestItem(e.url)
	item.Mode, item.SessionID, item.OutputCodec = "stream", nobody, "jpeg"
	made := t.adapter(ctx, item)
	if made.SessionID == nobody {
		t.Errorf("the adapter is in the session that the item names (contract 5.1)")
	}
	s := e.socket(ctx)
	reading, end := context.WithCancel(ctx)
	ended := make(chan websocket.StatusCode, 1)
	go func() { ended <- s.ends(reading) }() // pongs are seen by a reader only
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(made.SessionID, "speech"))
	_, err := subs[0].WaitMore(ctx, 5)
	t.Must(err)
	r := t.record(subs[0])
	t.Must(s.conn.Write(ctx, websocket.MessageText, []byte("ping")))
	if err := s.conn.Ping(ctx); err != nil {
		t.Errorf("a ping is not answered (contract 5.3): %v", err)
	}
	tone := sfutest.Tone(440, 1000, sfutest.SampleRate)
	for from := 0; from < len(tone); from += 4096 {
		var payload []byte
		for _, sample := range tone[from:min(from+4096, len(tone))] {
			payload = append(payload, byte(sample), byte(uint16(sample)>>8))
		}
		var b []byte
		b = protowire.AppendTag(b, 1, protowire.VarintType) // of the payload's neighbours none is read
		b = protowire.AppendVarint(b, 7)
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(len(tone)-from))
		b = protowire.AppendTag(b, 3, protowire.BytesType)
		b = protowire.AppendBytes(b, []byte("field 3 does not exist"))
		b = protowire.AppendTag(b, 5, protowire.BytesType)
		b = protowire.AppendBytes(b, payload)
		b = protowire.AppendTag(b, 9, protowire.VarintType)
		b = protowire.AppendVarint(b, 7)
		t.Must(s.conn.Write(ctx, websocket.MessageBinary, b))
	}
	t.eventually(ctx, "what stands beside unknown fields is not heard (contract 5.3)", func() bool {
		pcm, err := r.heard()
		t.Must(err)
		from, to := sfutest.Loud(pcm)
		return to-from > sfutest.SampleRate/2
	})
	select {
	case code := <-ended:
		t.Errorf("the SFU ended the socket with code %d (contract 5.3)", code)
	default:
	}
	end()
}

// gap interrupts an egress adapter for a time, and gives the last packet before and the first one after.
func (t *T) gap(ctx context.Context, e *endpoint, long time.Duration) (before, after wsPacket) {
	s := e.socket(ctx)
	t.mustNext(ctx, s)
	before = t.mustNext(ctx, s)
	e.refuseWith(http.StatusServiceUnavailable)
	_ = s.conn.CloseNow()
	over := time.Now().Add(long)
	t.eventually(ctx, "the gap", func() bool { return time.Now().After(over) })
	e.refuseWith(0)
	return before, t.mustNext(ctx, e.socket(ctx))
}

func adaptersGapAudio(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, t.opusTones())
	t.adapter(ctx, egressItem(pub.ID, "mic", e.url, "pcm"))
	begun := time.Now()
	before, after := t.gap(ctx, e, 6*time.Second)
	said, gone := time.Duration(after.timestamp-before.timestamp)*time.Second/sfutest.SampleRate, time.Since(begun)
	if said > gone-500*time.Millisecond {
		t.Errorf("after %s the first message is of %s after the last one: the gap is lost (contract 5.4)", gone, said)
	}
	if said < time.Second {
		t.Errorf("after %s the first message is of %s after the last one: nothing old was dropped (contract 5.4)", gone, said)
	}
}

func adaptersGapVideo(ctx context.Context, t *T) {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, named{"cam", sfutest.Track{Codec: sfutest.VP8, Content: sfutest.VP8Card()}})
	t.adapter(ctx, egressItem(pub.ID, "cam", e.url, "jpeg"))
	before, after := t.gap(ctx, e, 4*time.Second)
	if seconds := float64(int32(after.timestamp-before.timestamp)) / 90000; seconds < 2.5 {
		t.Errorf("after 4 s the first picture is of %.1f s after the last one, not the newest (contract 5.4)", seconds)
	}
}

func flowAdapters(ctx context.Context, t *T) {
	in, out := t.endpoint(), t.endpoint()
	item := ingestItem(in.url)
	item.Mode = "buffer"
	made := t.adapter(ctx, item)
	if made.SessionID == "" || made.AdapterID == "" {
		t.Errorf("the item lacks sessionId or adapterId (contract 11 flow 12): %+v", made)
	}
	speaker := in.socket(ctx)
	heard := t.adapter(ctx, egressItem(made.SessionID, "speech", out.url, "pcm"))
	listener := out.socket(ctx)
	t.mustNext(ctx, listener)
	t.speak(ctx, speaker, sfutest.Tone(440, 1000, sfutest.SampleRate))
	_ = listener.conn.Close(websocket.StatusNormalClosure, "Superseded by newer subscriber")
	newer := out.socket(ctx)
	t.Must(newer.conn.Write(ctx, websocket.MessageText, []byte("pong")))
	loud := false
	for !loud {
		for _, b := range t.mustNext(ctx, newer).payload {
			loud = loud || b != 0
		}
	}
	for _, id := range []string{heard.AdapterID, made.AdapterID} {
		for range 2 { // done is done
			if x := t.closeAdapters(ctx, id); x.Status != http.StatusOK && x.item(0).ErrorCode != "adapter_not_found" {
				t.Errorf("closing is not done (contract 11 flow 12): %s", short(x.Raw))
			}
		}
	}
}
