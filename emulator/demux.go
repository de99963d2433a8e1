package emulator

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// firstByteWait is how long a connection may stay silent. Browsers open connections ahead of need and leave them
	// silent; closing those costs them nothing.
	firstByteWait = 5 * time.Second
	// maxUnclassified bounds the connections whose first byte has not come. When all places are taken, new
	// connections wait in the kernel's queue, at most firstByteWait.
	maxUnclassified = 256
	// acceptPause follows an accept error that is not the listener's end, such as too many open files.
	acceptPause = 50 * time.Millisecond
)

// tlsHandshake is the first byte of a TLS ClientHello record (RFC 8446 section 5.1).
const tlsHandshake = 0x16

// protocol is what the first byte of a connection tells.
type protocol int

const (
	protocolUnknown protocol = iota
	protocolHTTP
	protocolICE
)

// classify tells HTTP from ICE over TCP. A request line, the preface of HTTP/2 included, starts with an upper-case
// letter. RFC 4571 frames start with the length's high byte, and what ICE sends first, a Binding request, is far
// shorter than 512 bytes.
func classify(first byte) protocol {
	switch {
	case first >= 'A' && first <= 'Z':
		return protocolHTTP
	case first <= 1:
		return protocolICE
	default:
		return protocolUnknown
	}
}

// demux accepts the connections of all TCP listeners and gives each to HTTP or to ICE. It owns one goroutine per
// listener and one per connection that has not been classified.
type demux struct {
	// fixed after construction
	listeners []net.Listener
	web       *handoff
	ice       func(net.Conn) // takes the connection and returns at once
	log       *slog.Logger
	wait      time.Duration // firstByteWait, shorter in tests
	places    chan struct{}
	closing   chan struct{}
	wg        sync.WaitGroup

	mu      sync.Mutex
	started bool
	closed  bool
	silent  map[net.Conn]struct{} // connections whose first byte is awaited
}

func newDemux(listeners []net.Listener, ice func(net.Conn), log *slog.Logger) *demux {
	return &demux{
		listeners: listeners,
		web:       newHandoff(listeners[0].Addr()),
		ice:       ice,
		log:       log,
		wait:      firstByteWait,
		places:    make(chan struct{}, maxUnclassified),
		closing:   make(chan struct{}),
		silent:    make(map[net.Conn]struct{}),
	}
}

// start begins to accept; after close it does nothing.
func (d *demux) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.started || d.closed {
		return
	}
	d.started = true
	for _, ln := range d.listeners {
		d.wg.Go(func() { d.accept(ln) })
	}
}

func (d *demux) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			d.log.Warn("accept", "listener", ln.Addr().String(), "error", err)
			if !d.pause() {
				return
			}
		case !d.admit(conn):
			_ = conn.Close()
			return
		default:
			d.wg.Go(func() { d.route(conn) })
		}
	}
}

// pause waits acceptPause and reports whether the demux is still open.
func (d *demux) pause() bool {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.closing:
		return false
	}
}

// admit takes a place for a connection, waiting for one when all are taken, and reports whether the demux is open.
func (d *demux) admit(conn net.Conn) bool {
	select {
	case d.places <- struct{}{}:
	case <-d.closing:
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.silent[conn] = struct{}{}
	return true
}

// release gives the place back.
func (d *demux) release(conn net.Conn) {
	d.mu.Lock()
	delete(d.silent, conn)
	d.mu.Unlock()
	<-d.places
}

func (d *demux) route(conn net.Conn) {
	first, err := d.readFirst(conn)
	d.release(conn)
	if err != nil {
		d.log.Debug("connection closed before its first byte", "remote", conn.RemoteAddr().String(), "error", err)
		_ = conn.Close()
		return
	}
	whole := &peeked{Conn: conn, first: first}
	switch classify(first) {
	case protocolHTTP:
		d.web.give(whole)
	case protocolICE:
		d.ice(whole)
	default:
		d.refuse(conn, first)
	}
}

func (d *demux) readFirst(conn net.Conn) (byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(d.wait)); err != nil {
		return 0, err
	}
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		return 0, err
	}
	return first[0], conn.SetReadDeadline(time.Time{})
}

func (d *demux) refuse(conn net.Conn, first byte) {
	if first == tlsHandshake {
		d.log.Warn("a TLS client reached the plain HTTP port; use a base URL that begins with http://",
			"remote", conn.RemoteAddr().String())
	} else {
		d.log.Debug("neither HTTP nor ICE over TCP", "remote", conn.RemoteAddr().String(), "first", first)
	}
	_ = conn.Close()
}

// close stops accepting, closes the connections not yet classified and joins every goroutine. Connections already
// given away belong to their new owners.
func (d *demux) close() {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	silent := make([]net.Conn, 0, len(d.silent))
	for conn := range d.silent {
		silent = append(silent, conn)
	}
	d.mu.Unlock()
	if first {
		close(d.closing)
		_ = d.web.Close()
		for _, ln := range d.listeners {
			_ = ln.Close()
		}
		for _, conn := range silent {
			_ = conn.Close()
		}
	}
	d.wg.Wait()
}

// peeked is a connection whose first byte was read and is given back by the first Read.
type peeked struct {
	net.Conn
	first byte
	given bool // owned by the goroutine that reads
}

func (p *peeked) Read(b []byte) (int, error) {
	if p.given || len(b) == 0 {
		return p.Conn.Read(b)
	}
	p.given = true
	b[0] = p.first
	return 1, nil
}

// CloseWrite lets net/http end an answer to an unread body without a reset, which would discard the answer.
func (p *peeked) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// handoff is the net.Listener of the HTTP server: its connections come from the demux.
type handoff struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

var _ net.Listener = (*handoff)(nil)

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// give passes a connection to Accept, or closes it when the listener is closed.
func (h *handoff) give(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		_ = conn.Close()
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handoff) Addr() net.Addr { return h.addr }
