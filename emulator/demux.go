package emulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/callsemu/callsemu/internal/loglimit"
	"github.com/callsemu/callsemu/stunserver"
)

const (
	// firstByteWait is how long a connection may stay silent, and how long a TLS handshake may take. Browsers open
	// connections ahead of need and leave them silent; closing those costs them nothing.
	firstByteWait = 5 * time.Second
	// maxUnclassified bounds the connections of a listener of which it is not known yet who takes them. When all places are taken, new
	// connections wait in the kernel's queue.
	maxUnclassified = 256
	// acceptPause follows an accept error that is not the listener's end, such as too many open files.
	acceptPause = 50 * time.Millisecond
)

// tlsHandshake is the first byte of a TLS ClientHello record (RFC 8446 section 5.1).
const tlsHandshake = 0x16

// webProtocols are the names of HTTP in ALPN (RFC 7301), the preferred one first.
var webProtocols = []string{"h2", "http/1.1"}

// protocol is what the first byte of a connection tells.
type protocol int

const (
	protocolUnknown protocol = iota
	protocolHTTP
	protocolSTUN
	protocolTLS
)

// classify tells HTTP from STUN, which ICE and TURN begin with, and from TLS. A request line, the preface of HTTP/2
// included, starts with an upper-case letter. A STUN request starts with 0 or 1; so does an RFC 4571 frame, whose length
// stands first: what ICE sends first is far shorter than 512 bytes.
func classify(first byte) protocol {
	switch {
	case first >= 'A' && first <= 'Z':
		return protocolHTTP
	case first <= 1:
		return protocolSTUN
	case first == tlsHandshake:
		return protocolTLS
	default:
		return protocolUnknown
	}
}

// entrance says who takes the connections of a listener, by the protocol that they begin with. What has no taker is
// refused. A taker may begin work, but returns at once.
type entrance struct {
	web  func(net.Conn)
	stun func(net.Conn)
	tls  *tls.Config // nil refuses TLS
	// within is for what is spoken inside TLS: HTTP where ALPN says so, otherwise as the first byte tells.
	within *entrance
}

// door is a listener with its entrance.
type door struct {
	net.Listener
	entrance
	places chan struct{} // one for each connection whose taker is not known yet
}

// demux accepts the connections of all doors and gives each to its taker. It owns one goroutine per door and one per
// connection whose taker is not known yet.
type demux struct {
	// fixed before start
	doors   []door
	web     *handoff // what the HTTP server accepts from
	log     *slog.Logger
	trust   string        // how a client comes to trust the certificate
	wait    time.Duration // firstByteWait, shorter in tests
	closing chan struct{}
	wg      sync.WaitGroup
	lines   loglimit.Limiter // of what strangers can cause

	mu      sync.Mutex
	started bool
	closed  bool
	silent  map[net.Conn]struct{} // connections whose taker is not known yet
}

func newDemux(addr net.Addr, log *slog.Logger) *demux {
	return &demux{
		web:     newHandoff(addr),
		log:     log,
		wait:    firstByteWait,
		closing: make(chan struct{}),
		silent:  make(map[net.Conn]struct{}),
	}
}

// open adds listeners that share an entrance; before start. Each has places of its own, so that those who keep one busy do not keep
// the others waiting.
func (d *demux) open(listeners []net.Listener, to entrance) {
	for _, ln := range listeners {
		d.doors = append(d.doors, door{ln, to, make(chan struct{}, maxUnclassified)})
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
	for _, at := range d.doors {
		d.wg.Go(func() { d.accept(at) })
	}
}

func (d *demux) accept(at door) {
	for {
		conn, err := at.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			d.lines.Warn(d.log, "accept "+at.Addr().String(), "accept", "listener", at.Addr().String(), "error", err)
			if !d.pause() {
				return
			}
		case !d.admit(conn, at.places):
			_ = conn.Close()
			return
		default:
			d.wg.Go(func() { d.route(conn, &at) })
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
func (d *demux) admit(conn net.Conn, places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
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
func (d *demux) release(conn net.Conn, places <-chan struct{}) {
	d.mu.Lock()
	delete(d.silent, conn)
	d.mu.Unlock()
	<-places
}

// route finds out who takes a connection and hands it over.
func (d *demux) route(conn net.Conn, at *door) {
	whole, take, err := d.admitted(conn, &at.entrance)
	d.release(conn, at.places)
	if err != nil {
		_ = conn.Close()
		d.explain(conn, err)
		return
	}
	take(whole)
}

// admitted returns the connection as its taker is to have it, which is decrypted where it speaks TLS.
func (d *demux) admitted(conn net.Conn, to *entrance) (whole net.Conn, take func(net.Conn), err error) {
	whole, spoken, err := d.listenIn(conn)
	if err != nil {
		return nil, nil, err
	}
	if spoken == protocolTLS && to.tls != nil {
		secure := tls.Server(whole, to.tls)
		if err := d.shakeHands(secure); err != nil {
			return nil, nil, err
		}
		if agreed := secure.ConnectionState().NegotiatedProtocol; slices.Contains(webProtocols, agreed) {
			return secure, to.within.web, nil // the *tls.Conn itself, which the HTTP server wants for HTTP/2
		}
		return d.admitted(secure, to.within)
	}
	if take = map[protocol]func(net.Conn){protocolHTTP: to.web, protocolSTUN: to.stun}[spoken]; take == nil {
		return nil, nil, refusedProtocol{spoken, to}
	}
	return whole, take, nil
}

// listenIn waits for the first byte and tells the protocol by it. The connection that it returns begins with that byte.
func (d *demux) listenIn(conn net.Conn) (whole net.Conn, spoken protocol, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(d.wait)); err != nil {
		return nil, 0, err
	}
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		return nil, 0, fmt.Errorf("before the first byte: %w", err)
	}
	return &peeked{Conn: conn, first: first[0]}, classify(first[0]), conn.SetReadDeadline(time.Time{})
}

func (d *demux) shakeHands(conn *tls.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(d.wait)); err != nil {
		return err
	}
	if err := conn.Handshake(); err != nil { // close ends it by closing the connection
		return handshakeError{err}
	}
	return conn.SetDeadline(time.Time{})
}

// refusedProtocol means that an entrance has no taker for what came.
type refusedProtocol struct {
	spoken protocol
	at     *entrance
}

func (r refusedProtocol) Error() string { return "no such protocol is spoken here" }

// handshakeError is what ended a TLS handshake.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

// explain logs why a connection was closed; in words where its user can do something about it.
func (d *demux) explain(conn net.Conn, err error) {
	remote := conn.RemoteAddr().String()
	var refused refusedProtocol
	var shaken handshakeError
	switch {
	case errors.As(err, &shaken) && stunserver.Distrusted(shaken.error):
		d.warn("a client does not trust the certificate; "+d.trust, "remote", remote, "error", err)
	case errors.As(err, &refused) && refused.spoken == protocolHTTP && refused.at.tls != nil:
		d.warn("a client spoke plain HTTP to a port that is for HTTPS alone; use a URL that begins with https://", "remote", remote)
	case errors.As(err, &refused) && refused.spoken == protocolTLS:
		d.warn("a client spoke TLS to a port that is for plain HTTP; HTTPS is at --listen and --https", "remote", remote)
	case errors.As(err, &refused) && refused.spoken == protocolSTUN && refused.at.within != nil && refused.at.within.stun != nil:
		d.warn("a client spoke STUN outside of TLS to a port where TURN is inside; use a URL that begins with turns:", "remote", remote)
	case errors.As(err, &refused) && refused.spoken == protocolSTUN:
		d.warn("a client spoke STUN to a port where neither ICE nor TURN is served; take the URLs of generate-ice-servers and the "+
			"candidates of the SDP", "remote", remote)
	default:
		d.log.Debug("connection closed", "remote", remote, "error", err)
	}
}

// warn logs a line, unless that one comes too fast.
func (d *demux) warn(text string, attrs ...any) { d.lines.Warn(d.log, text, text, attrs...) }

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
		for _, at := range d.doors {
			_ = at.Close()
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

// NetConn is the connection as it was accepted, for those who close it at once.
func (p *peeked) NetConn() net.Conn { return p.Conn }

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
