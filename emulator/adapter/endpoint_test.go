package adapter

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/sfu"
)

// patience is how long a test waits for what should happen at once.
const patience = 10 * time.Second

// endpoint is an application's WebSocket server, whose sockets the test holds.
type endpoint struct {
	t       *testing.T
	url     string
	refuse  atomic.Bool
	asked   atomic.Int32
	sockets chan *websocket.Conn
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{t: t, sockets: make(chan *websocket.Conn, 100)}
	var mu sync.Mutex
	var all []*websocket.Conn
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		if e.refuse.Load() {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		conn.SetReadLimit(-1)
		mu.Lock()
		all = append(all, conn)
		mu.Unlock()
		e.sockets <- conn
	}))
	t.Cleanup(func() {
		server.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range all {
			_ = conn.CloseNow()
		}
	})
	e.url = "ws" + strings.TrimPrefix(server.URL, "http")
	return e
}

// socket is the next one that the adapter makes.
func (e *endpoint) socket() *websocket.Conn {
	e.t.Helper()
	select {
	case s := <-e.sockets:
		return s
	case <-time.After(patience):
		e.t.Fatal("the endpoint is not called")
		return nil
	}
}

// next is the next packet on a socket.
func next(t *testing.T, s *websocket.Conn) Packet {
	t.Helper()
	p, err := tryNext(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryNext(s *websocket.Conn) (Packet, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kind, b, err := s.Read(ctx)
	if err != nil {
		return Packet{}, err
	}
	if kind != websocket.MessageBinary {
		return Packet{}, errors.New("the message is text")
	}
	return ParsePacket(b)
}

// wantClose reads up to the close frame.
func wantClose(t *testing.T, s *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	for {
		_, err := tryNext(s)
		if err == nil {
			continue
		}
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != code || !strings.Contains(closed.Reason, reason) {
			t.Errorf("the socket ends with %v, want code %d %q", err, code, reason)
		}
		return
	}
}

func send(t *testing.T, s *websocket.Conn, b []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Write(ctx, websocket.MessageBinary, b); err != nil {
		t.Fatal(err)
	}
}

// rig is what adapters of a test share.
type rig struct {
	t      *testing.T
	sfu    *sfu.SFU
	clock  *clock.Adjustable
	limits atomic.Pointer[Limits]
	log    *syncBuffer
}

func newRig(t *testing.T) *rig {
	s, err := sfu.New(sfu.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &rig{t: t, sfu: s, clock: clock.NewAdjustable(), log: &syncBuffer{}}
	r.limits.Store(&Limits{Handshake: 7 * time.Second, Retry: 15 * time.Second, Picture: time.Second, Buffer: 2 * time.Minute})
	return r
}

func (r *rig) config(url string) Config {
	return Config{
		Endpoint: url, Dialer: NewDialer(DialerConfig{Policy: PolicyLocal}), Clock: r.clock,
		Limits: func() Limits { return *r.limits.Load() }, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
}

func (r *rig) source() *sfu.Source {
	src, err := r.sfu.NewSource()
	if err != nil {
		r.t.Fatal(err)
	}
	return src
}

// open opens an adapter and closes it at the end of the test.
func (r *rig) open(a *Adapter) *Adapter {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if err := a.Open(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(a.Close)
	return a
}

// until polls for what other goroutines bring about.
func until(t *testing.T, what string, content func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !content() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func wantEnd(t *testing.T, a *Adapter) {
	t.Helper()
	select {
	case <-a.Done():
	case <-time.After(patience):
		t.Fatalf("the adapter does not end: %+v", a.Info())
	}
	if s := a.Info().State; s != StateClosed {
		t.Errorf("it has ended and is %s", s)
	}
}

// transmit writes packets to a source at their pace until the test ends or the packets do.
func transmit(t *testing.T, src *sfu.Source, packets [][]byte) (stop func()) {
	done, halt := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(frameTime)
		defer tick.Stop()
		for _, p := range packets {
			select {
			case <-tick.C:
				src.Write(p, opusSamples(p))
			case <-halt:
				return
			}
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { close(halt) }); <-done }
	t.Cleanup(stop)
	return stop
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
