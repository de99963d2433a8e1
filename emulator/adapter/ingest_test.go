package adapter

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	pionopus "github.com/pion/opus"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// listener decodes what a track carries, with a decoder of other authors.
type listener struct {
	tap     *sfu.Tap
	decoder pionopus.Decoder
	pcm     []int16
	times   []time.Time // of the packets
}

func listen(t *testing.T, src *sfu.Source) *listener {
	d, err := pionopus.NewDecoderWithOutput(sampleRate, channels)
	if err != nil {
		t.Fatal(err)
	}
	return &listener{tap: src.Publication().Tap(), decoder: d}
}

// hear goes on until content.
func (l *listener) hear(t *testing.T, content func() bool) {
	t.Helper()
	buffer := make([]int16, maxPacketSamples*channels)
	limit := time.After(patience)
	for !content() {
		p, ok := l.tap.Next()
		if !ok {
			select {
			case <-l.tap.Arrived():
			case <-limit:
				t.Fatal("that is never heard")
			}
			continue
		}
		n, err := l.decoder.DecodeToInt16(p.Payload, buffer)
		if err != nil {
			t.Fatal(err)
		}
		l.pcm, l.times = append(l.pcm, buffer[:n*channels]...), append(l.times, p.Arrived)
	}
}

// say sends an utterance as the speech example does: at once, in pieces of 16 KB, and an empty packet at the end.
func say(t *testing.T, s *websocket.Conn, pcm []int16) {
	t.Helper()
	for piece := range slices.Chunk(bytesOf(pcm), 16384) {
		send(t, s, Packet{Payload: piece}.Append(nil))
	}
	send(t, s, nil)
}

func TestAnUtterancePassesFromTheEndpointToTheTrack(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	l := listen(t, src)
	a := r.open(NewIngest(r.config(e.url), src))
	s := e.socket()
	l.hear(t, func() bool { return len(l.times) > 10 }) // silence before the first word
	if from, _ := sfutest.Loud(l.pcm); from >= 0 {
		t.Error("there is sound before anything was sent")
	}
	said := tone(440, 1000, 3*sampleRate/2)
	say(t, s, said)
	until(t, "it waits to be played", func() bool { return a.Info().Buffered > 0 })
	l.hear(t, func() bool {
		_, to := sfutest.Loud(l.pcm)
		return to > 0 && len(l.pcm)/channels > to+sampleRate/4
	})
	from, to := sfutest.Loud(l.pcm)
	if length := to - from; length < len(said)/channels-frameSamples || length > len(said)/channels+2*frameSamples {
		t.Errorf("%d samples are heard of %d", length, len(said)/channels)
	}
	wantTones(t, l.pcm[(from+sampleRate/5)*channels:(to-frameSamples)*channels], 440, 1000)
	// In real time: the packets of a second take their time, though all was sent at once. After a pause of the machine some
	// may come faster.
	begin := from / frameSamples
	if took := l.times[begin+60].Sub(l.times[begin+10]); took < time.Second-maxLag {
		t.Errorf("a second is played in %v", took)
	}
	if info := a.Info(); info.Bytes != uint64(2*len(said)) || info.Dropped != 0 || info.Buffered != 0 || info.Messages < 2 {
		t.Errorf("%+v", info)
	}
}

func TestIngestIsNeverMadeAnew(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	a := r.open(NewIngest(r.config(e.url), r.source()))
	_ = e.socket().CloseNow()
	wantEnd(t, a)
	if e.asked.Load() != 1 {
		t.Errorf("the endpoint was called %d times", e.asked.Load())
	}
	if info := a.Info(); info.LastError == "" || info.Ended != info.LastError {
		t.Errorf("%+v", info)
	}
}

func TestTheEndOfAnIngestTrackClosesTheSocket(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewIngest(r.config(e.url), src))
	s := e.socket()
	src.Close()
	wantClose(t, s, websocket.StatusNormalClosure, "track ended")
	wantEnd(t, a)
}

func TestMessagesOfIngestAreBounded(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	a := r.open(NewIngest(r.config(e.url), r.source()))
	s := e.socket()
	fits := Packet{Payload: make([]byte, maxMessage-4)}.Append(nil)
	if len(fits) != maxMessage {
		t.Fatalf("the message has %d bytes", len(fits))
	}
	send(t, s, fits)
	until(t, "it is taken", func() bool { return a.Info().Messages == 1 })
	send(t, s, append(fits, 0x08, 1))
	wantClose(t, s, websocket.StatusMessageTooBig, "")
	wantEnd(t, a)
	if info := a.Info(); info.Messages != 1 || !strings.Contains(info.LastError, "more than 32768 bytes") {
		t.Errorf("%+v", info)
	}
}

func TestOddMessagesDisturbNothing(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	l := listen(t, src)
	a := r.open(NewIngest(r.config(e.url), src))
	s := e.socket()
	send(t, s, []byte("not a packet"))
	send(t, s, Packet{SequenceNumber: 7, Timestamp: 9}.Append(nil))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Write(ctx, websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	said := tone(440, 1000, sampleRate/2)
	for piece := range slices.Chunk(bytesOf(said), 4000) {
		send(t, s, Packet{Payload: append(piece, 1, 2, 3)}.Append(nil)) // three bytes too many each time
	}
	if err := s.Ping(s.CloseRead(ctx)); err != nil {
		t.Errorf("a ping is not answered: %v", err)
	}
	l.hear(t, func() bool {
		_, to := sfutest.Loud(l.pcm)
		return to > 0 && len(l.pcm)/channels > to+sampleRate/5
	})
	from, to := sfutest.Loud(l.pcm)
	wantTones(t, l.pcm[(from+sampleRate/8)*channels:(to-2*frameSamples)*channels], 440, 1000)
	if info := a.Info(); info.Dropped < 10 || info.State != StateOpen || info.LastError == "" {
		t.Errorf("%+v", info)
	}
	if n := strings.Count(r.log.String(), "cannot use whole"); n != 1 {
		t.Errorf("the log complains %d times", n)
	}
}

// TestAFullBufferIsNotReadFrom: the endpoint's sends wait, and nothing of what it sent is lost.
func TestAFullBufferIsNotReadFrom(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	limits := *r.limits.Load()
	limits.Buffer = 200 * time.Millisecond
	r.limits.Store(&limits)
	src := r.source()
	l := listen(t, src)
	a := r.open(NewIngest(r.config(e.url), src))
	s := e.socket()
	said := tone(440, 1000, sampleRate)
	done := make(chan struct{})
	go func() { defer close(done); say(t, s, said) }()
	most := time.Duration(0)
	l.hear(t, func() bool {
		most = max(most, a.Info().Buffered)
		_, to := sfutest.Loud(l.pcm)
		return to > 0 && len(l.pcm)/channels > to+sampleRate/4
	})
	<-done
	from, to := sfutest.Loud(l.pcm)
	if length := to - from; most > 200*time.Millisecond || length < len(said)/channels-frameSamples {
		t.Errorf("up to %v were held, %d samples of %d are heard", most, length, len(said)/channels)
	}
	wantTones(t, l.pcm[(from+sampleRate/5)*channels:(to-frameSamples)*channels], 440, 1000)
}

func TestAFullBufferDoesNotKeepAnAdapterAlive(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	limits := *r.limits.Load()
	limits.Buffer = 100 * time.Millisecond
	r.limits.Store(&limits)
	a := r.open(NewIngest(r.config(e.url), r.source()))
	s := e.socket()
	for range 20 {
		send(t, s, Packet{Payload: make([]byte, 16384)}.Append(nil))
	}
	a.Close()
	wantEnd(t, a)
}
