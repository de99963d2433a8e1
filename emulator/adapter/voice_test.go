package adapter

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// stream makes the voices of packets of 20 ms, which begin at odd places of the numbers.
func stream(packets [][]byte) []voice {
	start := time.Unix(1000, 0)
	var out []voice
	for i, p := range packets {
		out = append(out, voice{
			seq: uint16(65530 + i), ts: uint32(1<<32-1920) + uint32(i*frameSamples), payload: p,
			arrived: start.Add(time.Duration(i) * 20 * time.Millisecond),
		})
	}
	return out
}

// heard is what a speaker makes of voices.
func heard(t *testing.T, s *speaker, voices []voice) (pcm []int16, messages []Packet) {
	t.Helper()
	keep := func(p Packet) {
		samples := make([]int16, len(p.Payload)/2)
		readPCM(p.Payload, samples)
		pcm = append(pcm, samples...)
		messages = append(messages, p)
	}
	for _, v := range voices {
		s.hear(v, keep)
	}
	s.speak(voices[len(voices)-1].arrived.Add(time.Second), keep)
	return pcm, messages
}

// wantContinuous checks that messages are numbered one by one and that each begins where the one before ended.
func wantContinuous(t *testing.T, messages []Packet) {
	t.Helper()
	for i := 1; i < len(messages); i++ {
		before, now := messages[i-1], messages[i]
		if now.SequenceNumber != before.SequenceNumber+1 {
			t.Fatalf("message %d has number %d after %d", i, now.SequenceNumber, before.SequenceNumber)
		}
		if end := before.Timestamp + uint32(len(before.Payload)/sampleBytes); now.Timestamp != end {
			t.Fatalf("message %d begins at %d, the one before ends at %d", i, now.Timestamp, end)
		}
	}
}

func TestMessagesFollowThePublishersNumbers(t *testing.T) {
	voices := stream(encodeTone(t, 440, 1000, 60))
	pcm, messages := heard(t, newSpeaker(&gopusCodec{}), voices)
	if len(messages) != 60 || messages[0].SequenceNumber != 65530 || messages[0].Timestamp != voices[0].ts {
		t.Fatalf("%d messages from %d at %d", len(messages), messages[0].SequenceNumber, messages[0].Timestamp)
	}
	for _, m := range messages {
		if len(m.Payload) != frameBytes {
			t.Fatalf("a message has %d bytes", len(m.Payload))
		}
	}
	wantContinuous(t, messages)
	wantTones(t, steady(pcm), 440, 1000)
}

func TestLossIsConcealed(t *testing.T) {
	voices := stream(encodeTone(t, 440, 440, 60))
	kept := append(append([]voice(nil), voices[:30]...), voices[31:]...)
	s := newSpeaker(&gopusCodec{})
	pcm, messages := heard(t, s, kept)
	wantContinuous(t, messages)
	if len(messages) != 60 || s.lost != 1 {
		t.Errorf("%d messages, %d lost", len(messages), s.lost)
	}
	if gap := sfutest.Loudness(sfutest.PCMChannel(pcm[30*frameSamples*channels:31*frameSamples*channels], 0)); gap < 3000 {
		t.Errorf("the lost packet left a hole: loudness %.0f", gap)
	}
	if p := sfutest.Purity(sfutest.PCMChannel(steady(pcm), 0), 440); p < 0.97 {
		t.Errorf("%.1f %% of the energy is at 440 Hz", 100*p)
	}
}

func TestSilenceOfAPublisherIsFilled(t *testing.T) {
	voices := stream(encodeTone(t, 440, 440, 30))
	for i := 20; i < len(voices); i++ { // DTX: the numbers go on, the time has jumped by 400 ms
		voices[i].ts += 20 * frameSamples
	}
	s := newSpeaker(&gopusCodec{})
	_, messages := heard(t, s, voices)
	wantContinuous(t, messages)
	if len(messages) != 50 || s.lost != 0 {
		t.Errorf("%d messages, %d lost, want 50 and none", len(messages), s.lost)
	}
}

func TestALongPauseIsAJumpOfTheTimestamp(t *testing.T) {
	voices := stream(encodeTone(t, 440, 440, 10))
	for i := 5; i < len(voices); i++ {
		voices[i].ts += 3 * sampleRate
	}
	_, messages := heard(t, newSpeaker(&gopusCodec{}), voices)
	if len(messages) != 10 || messages[5].Timestamp != voices[5].ts {
		t.Errorf("%d messages", len(messages))
	}
}

func TestReorderedPacketsArePlayedInOrder(t *testing.T) {
	voices := stream(encodeTone(t, 440, 1000, 60))
	voices[20], voices[21] = voices[21], voices[20]
	voices[40], voices[41], voices[42] = voices[42], voices[40], voices[41]
	s := newSpeaker(&gopusCodec{})
	pcm, messages := heard(t, s, append(voices, voices[3], voices[59]))
	wantContinuous(t, messages)
	if len(messages) != 60 || s.lost != 0 || s.order.late != 2 {
		t.Errorf("%d messages, %d lost, %d late", len(messages), s.lost, s.order.late)
	}
	wantTones(t, steady(pcm), 440, 1000)
}

func TestANewStreamBeginsAnew(t *testing.T) {
	voices := stream(encodeTone(t, 440, 440, 20))
	for i := 10; i < len(voices); i++ {
		voices[i].seq, voices[i].ts, voices[i].fresh = uint16(7+i), uint32(99+i*frameSamples), i == 10
	}
	_, messages := heard(t, newSpeaker(&gopusCodec{}), voices)
	if len(messages) != 20 || messages[10].Timestamp != voices[10].ts || messages[10].SequenceNumber != messages[9].SequenceNumber+1 {
		t.Errorf("%d messages", len(messages))
	}
}

func TestDamagedPacketsAreConcealed(t *testing.T) {
	voices := stream(encodeTone(t, 440, 440, 20))
	voices[10].payload = []byte{0x9b, 0xff} // 63 frames of 20 ms: no decoder takes it
	voices[12].payload = nil
	s := newSpeaker(&gopusCodec{})
	_, messages := heard(t, s, voices)
	wantContinuous(t, messages)
	if len(messages) != 20 || s.damaged != 1 {
		t.Errorf("%d messages, %d damaged", len(messages), s.damaged)
	}
}

// TestOrderNeverHoldsMuch: whatever comes, little is kept, nothing is played twice, and time never runs backwards within a
// stream.
func TestOrderNeverHoldsMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o order
		now := time.Unix(0, 0)
		played := map[uint16]int{}
		base := rapid.Uint16().Draw(t, "base")
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "ms")) * time.Millisecond)
			n := uint16(rapid.IntRange(0, 50).Draw(t, "n"))
			o.push(voice{seq: base + n, ts: uint32(n) * frameSamples, payload: []byte{0x98}, arrived: now})
			for {
				next, ok := o.pop(now)
				if !ok {
					break
				}
				if played[next.seq]++; played[next.seq] > 1 {
					t.Fatalf("%d is played again", next.seq)
				}
				if next.fill < 0 || next.fill > maxFill {
					t.Fatalf("fills %d", next.fill)
				}
			}
			if len(o.held) > reorderHeld {
				t.Fatalf("%d are held", len(o.held))
			}
		}
	})
}

// FuzzSpeaker lets an endpoint send anything as Opus, under any numbers.
func FuzzSpeaker(f *testing.F) {
	for _, p := range encodeTone(f, 440, 1000, 2) {
		f.Add(p, uint16(1), uint32(960), []byte{1, 2, 0, 5})
	}
	f.Fuzz(func(t *testing.T, payload []byte, seq uint16, ts uint32, steps []byte) {
		s, now, bytes := newSpeaker(&gopusCodec{}), time.Unix(0, 0), 0
		steps = steps[:min(len(steps), 16)]
		for _, step := range steps {
			seq, ts = seq+uint16(int8(step)), ts+uint32(int8(step))*frameSamples
			now = now.Add(time.Duration(step) * time.Millisecond)
			s.hear(voice{seq: seq, ts: ts, payload: payload[:min(len(payload), int(step)*8)], arrived: now},
				func(p Packet) { bytes += len(p.Payload) })
		}
		if most := (len(steps) + 1) * (maxFill + 2*maxPacketSamples) * sampleBytes; bytes > most {
			t.Fatalf("%d packets make %d bytes", len(steps), bytes)
		}
	})
}
