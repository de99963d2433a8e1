package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protowire"
)

// Endpoint is where the target reaches the suite's own WebSocket server. The zero value is this machine, for a target that is on
// it and dials it.
type Endpoint struct {
	URL    string // wss://..., what leads to Listen
	Listen string // IP:PORT; empty means a free port of 127.0.0.1
}

// endpoint is one path of the suite's WebSocket server during one case.
type endpoint struct {
	t       *T
	url     string // with a path of its own
	sockets chan *socket

	mu     sync.Mutex
	refuse func(http.ResponseWriter, *http.Request) // instead of accepting, where it is set
	calls  []*http.Request
	made   []*websocket.Conn
}

// socket is one connection that the SFU made.
type socket struct{ conn *websocket.Conn }

// wsPacket is a message of contract 5.3.
type wsPacket struct {
	sequence, timestamp uint32
	payload             []byte
}

// endpoints is the server of one case, with a path for each endpoint: Endpoint.Listen is one address for all.
type endpoints struct {
	base string // of their URLs, without a slash at its end

	mu     sync.Mutex
	byPath map[string]*endpoint
}

func (s *endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	e := s.byPath[r.URL.Path]
	s.mu.Unlock()
	if e == nil {
		http.NotFound(w, r)
		return
	}
	e.serve(w, r)
}

// endpoint accepts every WebSocket on a path of its own, until the end of the case.
func (t *T) endpoint() *endpoint {
	if t.endpoints == nil {
		t.endpoints = t.listen()
	}
	path := "/" + rand.Text()
	e := &endpoint{t: t, url: t.endpoints.base + path + "?token=" + rand.Text(), sockets: make(chan *socket, 64)}
	t.endpoints.mu.Lock()
	t.endpoints.byPath[path] = e
	t.endpoints.mu.Unlock()
	return e
}

// listen starts the server.
func (t *T) listen() *endpoints {
	at := t.target.Endpoint
	listener, err := net.Listen("tcp", orElse(at.Listen, "127.0.0.1:0"))
	t.Must(err)
	s := &endpoints{base: strings.TrimSuffix(orElse(at.URL, "ws://"+listener.Addr().String()), "/"), byPath: map[string]*endpoint{}}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
		s.mu.Lock()
		all := slices.Collect(maps.Values(s.byPath))
		s.mu.Unlock()
		for _, e := range all {
			e.closeAll()
		}
	})
	return s
}

func (e *endpoint) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, conn := range e.made {
		_ = conn.CloseNow()
	}
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.calls = append(e.calls, r.Clone(context.Background()))
	refuse := e.refuse
	e.mu.Unlock()
	if refuse != nil {
		refuse(w, r)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	conn.SetReadLimit(-1)
	e.mu.Lock()
	e.made = append(e.made, conn)
	e.mu.Unlock()
	e.sockets <- &socket{conn}
}

// refuseWith makes the server answer with a status; 0 makes it accept again.
func (e *endpoint) refuseWith(status int, header ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuse = nil
	if status != 0 {
		e.refuse = func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
}

// stall makes the server answer nothing until the case ends.
func (e *endpoint) stall(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refuse = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ctx.Done():
		case <-r.Context().Done():
		}
	}
}

// called is how often the SFU has come.
func (e *endpoint) called() []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*http.Request(nil), e.calls...)
}

// socket ends the case unless the SFU connects.
func (e *endpoint) socket(ctx context.Context) *socket {
	select {
	case s := <-e.sockets:
		return s
	case <-ctx.Done():
		e.t.Fatalf("the SFU does not connect to the endpoint: %v", context.Cause(ctx))
		return nil
	}
}

// next is the next packet. One with a field that proto3 leaves out, or that contract 5.3 does not have, is an error.
func (s *socket) next(ctx context.Context) (p wsPacket, err error) {
	kind, b, err := s.conn.Read(ctx)
	if err != nil {
		return p, err
	}
	if kind != websocket.MessageBinary {
		return p, errors.New("the SFU sent text")
	}
	for len(b) > 0 {
		number, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return p, protowire.ParseError(n)
		}
		b = b[n:]
		var v uint64
		switch {
		case number == 1 && wire == protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
			p.sequence = uint32(v)
		case number == 2 && wire == protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
			p.timestamp = uint32(v)
		case number == 5 && wire == protowire.BytesType:
			p.payload, n = protowire.ConsumeBytes(b)
		default:
			return p, fmt.Errorf("the message has a field %d of type %d", number, wire)
		}
		if n < 0 {
			return p, protowire.ParseError(n)
		}
		if v == 0 && len(p.payload) == 0 {
			return p, fmt.Errorf("the message has a field %d with a zero value, which proto3 leaves out (contract 5.3)", number)
		}
		b = b[n:]
	}
	return p, nil
}

// mustNext ends the case unless a packet comes.
func (t *T) mustNext(ctx context.Context, s *socket) wsPacket {
	p, err := s.next(ctx)
	if err != nil {
		t.Fatalf("no message comes: %v", err)
	}
	return p
}

// send sends a payload in a packet.
func (s *socket) send(ctx context.Context, payload []byte) error {
	var b []byte
	if len(payload) > 0 {
		b = protowire.AppendTag(b, 5, protowire.BytesType)
		b = protowire.AppendBytes(b, payload)
	}
	return s.conn.Write(ctx, websocket.MessageBinary, b)
}

// ends reads until the socket ends and says with which code, -1 for none.
func (s *socket) ends(ctx context.Context) websocket.StatusCode {
	for {
		if _, _, err := s.conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}
