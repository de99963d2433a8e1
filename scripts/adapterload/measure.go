package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/callsemu/callsemu/scripts/internal/load"
	"github.com/callsemu/callsemu/scripts/internal/proc"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// sink is the endpoint of all adapters, and what came to it.
type sink struct {
	server *http.Server
	base   string
	joined sync.WaitGroup

	mu      sync.Mutex
	from    time.Time // messages before it do not count; zero for not yet
	streams map[string]*stream
}

// stream is what one egress or JPEG adapter sent.
type stream struct {
	kind     string
	messages int
	last     time.Time
	longest  time.Duration // between two messages
	gaps     int           // numbers that were left out
	number   uint32
	began    bool
}

func listen(ctx context.Context) (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{base: "ws://" + listener.Addr().String() + "/", streams: map[string]*stream{}}
	s.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		conn.SetReadLimit(-1)
		if kind, _, _ := strings.Cut(r.URL.Path[1:], "-"); kind == "ingest" {
			s.speak(ctx, conn)
		} else {
			s.take(ctx, conn, r.URL.Path[1:], kind)
		}
	}), ReadHeaderTimeout: patience}
	s.joined.Go(func() { _ = s.server.Serve(listener) })
	return s, nil
}

func (s *sink) close() {
	_ = s.server.Close()
	s.joined.Wait()
}

func (s *sink) adapters(o options, publisher string) (list []adapter) {
	for i := range o.egress {
		list = append(list, adapter{Location: "remote", SessionID: publisher, TrackName: "mic", Endpoint: fmt.Sprintf("%segress-%d", s.base, i), OutputCodec: "pcm"})
	}
	for i := range o.jpeg {
		list = append(list, adapter{Location: "remote", SessionID: publisher, TrackName: "cam", Endpoint: fmt.Sprintf("%sjpeg-%d", s.base, i), OutputCodec: "jpeg"})
	}
	for i := range o.ingest {
		list = append(list, adapter{Location: "local", TrackName: fmt.Sprintf("speech-%d", i), Endpoint: fmt.Sprintf("%singest-%d", s.base, i), InputCodec: "pcm"})
	}
	return list
}

// speak sends a tone at its pace, in pieces of 80 ms, until the socket ends.
func (s *sink) speak(ctx context.Context, conn *websocket.Conn) {
	var second []byte
	for _, sample := range sfutest.Tone(440, 1000, sfutest.SampleRate) {
		second = binary.LittleEndian.AppendUint16(second, uint16(sample))
	}
	ctx = conn.CloseRead(ctx)
	ticker := time.NewTicker(80 * time.Millisecond)
	defer ticker.Stop()
	piece := len(second) / 25 * 2
	at := 0
	for {
		b := protowire.AppendTag(nil, 5, protowire.BytesType)
		b = protowire.AppendBytes(b, second[at:min(len(second), at+piece)])
		if at += piece; at >= len(second) {
			at = 0
		}
		if conn.Write(ctx, websocket.MessageBinary, b) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *sink) take(ctx context.Context, conn *websocket.Conn, name, kind string) {
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		var number uint64
		if field, wire, n := protowire.ConsumeTag(b); n > 0 && field == 1 && wire == protowire.VarintType {
			number, _ = protowire.ConsumeVarint(b[n:])
		}
		s.note(name, kind, uint32(number), now)
	}
}

func (s *sink) note(name, kind string, number uint32, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[name]
	if st == nil {
		st = &stream{kind: kind}
		s.streams[name] = st
	}
	if !s.from.IsZero() && st.began {
		st.messages++
		st.longest = max(st.longest, now.Sub(st.last))
		st.gaps += int(number - st.number - 1)
	}
	st.began, st.last, st.number = true, now, number
}

func measure(ctx context.Context, o options, s *sink) error {
	if err := load.Pause(ctx, 3*time.Second); err != nil { // until everything flows
		return err
	}
	before, err := proc.Of(o.PID)
	if err != nil {
		return err
	}
	packets, err := ingestPackets(ctx, o.URL)
	if err != nil {
		return err
	}
	began := time.Now()
	s.mu.Lock()
	s.from = began
	s.mu.Unlock()
	if err := load.Pause(ctx, o.Length); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := proc.Of(o.PID)
	if err != nil {
		return err
	}
	more, err := ingestPackets(ctx, o.URL)
	if err != nil {
		return err
	}
	s.report(o, took)
	reportIngest(packets, more, took)
	if o.PID != 0 {
		cpu := (after.CPU - before.CPU).Seconds() / took.Seconds()
		fmt.Printf("server: %.1f %% of one core, %.2f %% for each of %d adapters, resident %d MB\n", 100*cpu,
			100*cpu/float64(max(1, o.egress+o.ingest+o.jpeg)), o.egress+o.ingest+o.jpeg, after.Resident>>20)
	}
	return nil
}

func (s *sink) report(o options, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range []struct {
		name string
		want int
		rate float64
	}{{"egress", o.egress, 50}, {"jpeg", o.jpeg, 1}} {
		if kind.want == 0 {
			continue
		}
		var rates []float64
		var longest time.Duration
		gaps := 0
		for _, st := range s.streams {
			if st.kind == kind.name {
				rates = append(rates, float64(st.messages)/took.Seconds())
				longest, gaps = max(longest, st.longest), gaps+st.gaps
			}
		}
		if len(rates) == 0 {
			fmt.Printf("%s: nothing came\n", kind.name)
			continue
		}
		fmt.Printf("%s: %d of %d adapters send, %.2f to %.2f messages a second (real time is %.0f), longest pause %s, %d left out\n", kind.name,
			len(rates), kind.want, slices.Min(rates), slices.Max(rates), kind.rate, longest.Round(time.Millisecond), gaps)
	}
}
