package adapter

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// record reads messages of 20 ms until there is that much of them.
func record(t *testing.T, s *websocket.Conn, messages int) (pcm []int16, packets []Packet) {
	t.Helper()
	for range messages {
		p := next(t, s)
		samples := make([]int16, len(p.Payload)/2)
		readPCM(p.Payload, samples)
		pcm, packets = append(pcm, samples...), append(packets, p)
	}
	return pcm, packets
}

func TestATonePassesFromATrackToTheEndpoint(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewPCM(r.config(e.url+"/pcm?token=canary"), src.Publication()))
	s := e.socket()
	transmit(t, src, encodeTone(t, 440, 1000, 80))
	pcm, packets := record(t, s, 70)
	wantContinuous(t, packets)
	wantTones(t, steady(pcm), 440, 1000)
	until(t, "the messages are counted", func() bool { return a.Info().Messages >= 70 })
	info := a.Info()
	if info.State != StateOpen || info.Ended != "" || info.Bytes < 70*frameBytes || info.Dropped != 0 || strings.Contains(info.Endpoint, "canary") {
		t.Errorf("%+v", info)
	}
	a.Close()
	wantClose(t, s, websocket.StatusNormalClosure, "adapter closed")
	if info := a.Info(); info.State != StateClosed || info.LastError != "" || info.Ended != "closed by the API" {
		t.Errorf("%+v", info)
	}
	a.Close()
	if strings.Contains(r.log.String(), "canary") {
		t.Errorf("the log has the token: %s", r.log.String())
	}
}

func TestTheEndOfATrackClosesTheSocket(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewPCM(r.config(e.url), src.Publication()))
	s := e.socket()
	src.Close()
	wantClose(t, s, websocket.StatusNormalClosure, "track ended")
	wantEnd(t, a)
}

func TestTheEndOfTheProgramClosesTheSocket(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	a := r.open(NewPCM(r.config(e.url), r.source().Publication()))
	s := e.socket()
	go a.Shutdown()
	wantClose(t, s, websocket.StatusGoingAway, "going away")
	wantEnd(t, a)
}

func TestALostSocketIsMadeAnew(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewPCM(r.config(e.url), src.Publication()))
	s := e.socket()
	stop := transmit(t, src, encodeTone(t, 440, 440, 400))
	before := next(t, s)
	_ = s.Close(websocket.StatusNormalClosure, "Superseded by newer subscriber")
	again := e.socket()
	first := next(t, again)
	if int32(first.SequenceNumber-before.SequenceNumber) <= 0 {
		t.Errorf("message %d after %d", first.SequenceNumber, before.SequenceNumber)
	}
	stop()
	until(t, "it is open again", func() bool { return a.Info().State == StateOpen })
	if info := a.Info(); info.Reconnects != 1 || !strings.Contains(info.LastError, `code 1000 "Superseded by newer subscriber"`) {
		t.Errorf("%+v", info)
	}
}

// TestAudioOfAGapIsKeptUpToABound: what is older goes, what is left comes in order.
func TestAudioOfAGapIsKeptUpToABound(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewPCM(r.config(e.url), src.Publication()))
	s := e.socket()
	packets := encodeTone(t, 440, 440, 300)
	src.Write(packets[0], frameSamples)
	last := next(t, s)
	e.refuse.Store(true)
	_ = s.CloseNow()
	until(t, "it is retrying", func() bool { return a.Info().State == StateRetrying })
	for i := 1; i <= audioBacklog+50; i++ {
		src.Write(packets[i], frameSamples)
		if i%50 == 0 { // not faster than they are decoded
			until(t, "they are decoded", func() bool { return len(a.tap.Load().Arrived()) == 0 })
		}
	}
	until(t, "the oldest go", func() bool { return a.Info().Dropped == 50 })
	e.refuse.Store(false)
	s = e.socket()
	for i := range audioBacklog {
		if p := next(t, s); p.SequenceNumber != last.SequenceNumber+51+uint32(i) {
			t.Fatalf("message %d after the gap has number %d, the last before it %d", i, p.SequenceNumber, last.SequenceNumber)
		}
	}
}

func TestTheWindowForAnotherSocketEnds(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	a := r.open(NewPCM(r.config(e.url), r.source().Publication()))
	s := e.socket()
	r.clock.SetMode("frozen")
	e.refuse.Store(true)
	_ = s.CloseNow()
	until(t, "it is retrying", func() bool { return a.Info().State == StateRetrying })
	info, now := a.Info(), r.clock.Now()
	if left := info.RetryUntil.Sub(now); left != 15*time.Second {
		t.Errorf("%v are left", left)
	}
	tries := e.asked.Load()
	until(t, "it tries again", func() bool { return e.asked.Load() > tries+1 })
	advance(t, r, 14*time.Second)
	if s := a.Info().State; s != StateRetrying {
		t.Fatalf("after 14 s it is %s", s)
	}
	advance(t, r, time.Second)
	select {
	case <-a.Done(): // by the time that the advance is answered
	default:
		t.Error("after 15 s it has not ended")
	}
	if info := a.Info(); info.State != StateClosed || info.LastError == "" || info.Ended != errWindow.Error() { // a refusal, or a dial that the advance made late
		t.Errorf("%+v", info)
	}
	if !strings.Contains(r.log.String(), "could not be made anew") {
		t.Errorf("the log does not say so: %s", r.log.String())
	}
}

func advance(t *testing.T, r *rig, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.clock.Advance(ctx, d); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAWindowALostSocketIsTheEnd(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	limits := *r.limits.Load()
	limits.Retry = 0
	r.limits.Store(&limits)
	a := r.open(NewPCM(r.config(e.url), r.source().Publication()))
	_ = e.socket().CloseNow()
	wantEnd(t, a)
	if e.asked.Load() != 1 {
		t.Errorf("the endpoint was called %d times", e.asked.Load())
	}
}

func TestATrackThatEndsInTheGapEndsTheAdapter(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewPCM(r.config(e.url), src.Publication()))
	s := e.socket()
	e.refuse.Store(true)
	_ = s.CloseNow()
	until(t, "it is retrying", func() bool { return a.Info().State == StateRetrying })
	src.Close()
	wantEnd(t, a)
}

// TestASlowEndpointLosesTheOldest and slows nobody down: the source's writes return, whatever the endpoint does.
func TestASlowEndpointLosesTheOldest(t *testing.T) {
	r, e := newRig(t), newEndpoint(t)
	src := r.source()
	a := r.open(NewPCM(r.config(e.url), src.Publication()))
	s := e.socket()
	until(t, "the track is tapped", func() bool { return a.tap.Load() != nil })
	packets := encodeTone(t, 440, 440, 50)
	for i := 0; a.Info().Dropped == 0; i++ { // nobody reads: the kernel's buffers fill, then the backlog does
		src.Write(packets[i%len(packets)], frameSamples)
		if i%20 == 0 {
			until(t, "they are decoded", func() bool { return len(a.tap.Load().Arrived()) == 0 })
		}
		if i > 20000 {
			t.Fatal("nothing is ever dropped")
		}
	}
	begun := time.Now()
	a.Close()
	if took := time.Since(begun); took > 4*time.Second { // the library's own patience is five
		t.Errorf("closing took %v", took)
	}
	_ = s.CloseNow()
	wantEnd(t, a)
}

func TestTheHandshakeHasATimeLimit(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	r := newRig(t)
	r.clock.SetMode("frozen")
	a := NewPCM(r.config("ws://"+silent.Addr().String()), r.source().Publication())
	opened := make(chan error, 1)
	go func() { opened <- a.Open(t.Context()) }()
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if a.Info().State != StateDialling {
		t.Errorf("it is %s", a.Info().State)
	}
	advance(t, r, 7*time.Second)
	if err := <-opened; !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
	wantEnd(t, a)
	a.Close()
}

func TestAnAdapterCanBeClosedWhileItDials(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	for name, closing := range map[string]func(*Adapter, context.CancelFunc){
		"by Close":           func(a *Adapter, _ context.CancelFunc) { a.Close() },
		"the client is gone": func(_ *Adapter, cancel context.CancelFunc) { cancel() },
	} {
		r := newRig(t)
		a := NewIngest(r.config("ws://"+silent.Addr().String()), r.source())
		ctx, cancel := context.WithCancel(t.Context())
		opened := make(chan error, 1)
		go func() { opened <- a.Open(ctx) }()
		conn, err := silent.Accept()
		if err != nil {
			t.Fatal(err)
		}
		closing(a, cancel)
		if err := <-opened; !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		wantEnd(t, a)
		cancel()
		_ = conn.Close()
	}
}
