package stunserver

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callsemu/callsemu/internal/loglimit"
)

// Config is what a Server needs. Everything but Addr may be left zero.
type Config struct {
	// Addr is host:port, the same for UDP and TCP. The host is an address of
	// this machine or a name that resolves to one; empty means all addresses.
	// Port 0 lets the system choose one port that is free on both.
	Addr string

	// Logger receives what goes wrong with the sockets; nothing per message
	// above the debug level. Nil discards.
	Logger *slog.Logger

	// TLSAddr is the host:port of TURN over TLS; empty leaves it out.
	TLSAddr string

	// MaxConns bounds the TCP and TLS connections that are open at one time.
	// The next one takes the place of that without an allocation which has
	// completed no message for the longest; where all have allocations, it is
	// closed as soon as it is accepted. Zero means 512.
	MaxConns int

	// IdleTimeout ends a TCP connection that did not complete a message in
	// that time, counted from its start or from the previous message. Zero
	// means 30 s: browsers keep the connection for the length of a call's
	// gathering and reconnect when they need it again. It does not hold while
	// a connection has an allocation.
	IdleTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxConns == 0 {
		c.MaxConns = 512
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 30 * time.Second
	}
	return c
}

// Server is a STUN and TURN server. Make one with New, have it serve with
// Serve, end it with Close.
type Server struct {
	// Fixed after New.
	cfg  Config
	udp  *net.UDPConn
	tcp  *net.TCPListener
	tls  *net.TCPListener // nil where there is none
	done chan struct{}    // closed by the first Close

	// Fixed after Serve.
	more  []*net.UDPConn // of ListenUDP
	turn  TURNConfig
	gates []*gate // of udp and more; none without TURN

	wg        sync.WaitGroup // every goroutine of this server
	closeOnce sync.Once
	closeErr  error
	counters  counters
	lines     loglimit.Limiter // of what strangers can cause
	heard     atomic.Uint64    // counts what connections say, so that it has an order: see place

	mu         sync.Mutex
	conns      map[net.Conn]*place
	relays     map[*relay]struct{}
	relayed    map[netip.AddrPort]struct{} // the addresses of relays
	byUsername map[string]int              // how many relays
	closed     bool
}

// New binds the sockets; nothing is answered before Serve. Its errors wrap
// ErrBadAddr, ErrBusy or ErrNotLocal where one of these is the reason, and the
// system's error otherwise; a *TLSError holds what is wrong with TLSAddr. On
// an error nothing stays open.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	udp, tcp, err := listen(cfg.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:        cfg,
		udp:        udp,
		tcp:        tcp,
		done:       make(chan struct{}),
		conns:      make(map[net.Conn]*place),
		relays:     make(map[*relay]struct{}),
		relayed:    make(map[netip.AddrPort]struct{}),
		byUsername: make(map[string]int),
	}
	if cfg.TLSAddr != "" {
		if s.tls, err = (sockets{tcp: net.ListenTCP}).listenTLS(cfg.TLSAddr); err != nil {
			return nil, errors.Join(&TLSError{err}, s.Close())
		}
	}
	return s, nil
}

// Serve serves until Close. With the zero value it only answers Binding
// requests, and nothing over TLS. It is called once.
func (s *Server) Serve(turn TURNConfig) error {
	s.turn = turn.withDefaults()
	for _, socket := range append([]*net.UDPConn{s.udp}, s.more...) {
		if err := s.serveDatagrams(datagrams{s, socket}); err != nil {
			return err
		}
	}
	s.wg.Go(func() { s.accept(s.tcp, nil) })
	if s.tls != nil && s.turn.Credentials != nil && s.turn.TLS != nil {
		secure := s.turn.secure()
		s.wg.Go(func() { s.accept(s.tls, secure) })
	}
	return nil
}

// serveDatagrams begins to serve one UDP socket.
func (s *Server) serveDatagrams(link datagrams) error {
	if s.turn.Credentials == nil {
		s.wg.Go(func() { s.serveUDP(link) })
		return nil
	}
	g := s.newGate(link, "udp")
	if err := g.start(); err != nil {
		return err
	}
	s.gates = append(s.gates, g)
	return nil
}

// ListenUDP has the server answer at one more UDP address, as it does at Config.Addr (contract 7.1: TURN's alternate port). It is
// called before Serve. Its errors are those of New.
func (s *Server) ListenUDP(addr string) error {
	socket, err := sockets{udp: net.ListenUDP}.listenUDP(addr)
	if err == nil {
		s.more = append(s.more, socket)
	}
	return err
}

// ServeConn serves a connection that was accepted elsewhere, on a port that others share (contract 7.1: TURN's alternate ports are
// those of HTTP), until its end or Close. secure says that it is inside TLS, whose handshake is done. It is called after Serve and
// returns at once; the connection is the server's from then on.
func (s *Server) ServeConn(conn net.Conn, secure bool) {
	transport := "tcp"
	if secure {
		transport = "tls"
	}
	p := s.admit(conn)
	if p != nil && !s.begin(func() {
		defer s.release(p)
		s.serveStream(p, conn, transport)
	}) {
		s.release(p)
	}
}

// begin starts a goroutine, unless Close may wait for the last one already.
func (s *Server) begin(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
	return !s.closed
}

// Protocols are the names of TURN and STUN in ALPN (RFC 7443), for those who ask for them.
var Protocols = []string{"stun.turn", "stun.nat-discovery"}

// MinTLS is the oldest version of TLS that TURN is used with (contract 7.1).
const MinTLS = tls.VersionTLS11

func (c TURNConfig) secure() *tls.Config {
	cfg := c.TLS.Clone()
	cfg.MinVersion = MinTLS
	cfg.NextProtos = Protocols
	return cfg
}

// MoreUDP are the addresses of ListenUDP, bound.
func (s *Server) MoreUDP() []netip.AddrPort {
	var list []netip.AddrPort
	for _, socket := range s.more {
		list = append(list, datagrams{s, socket}.localAddr())
	}
	return list
}

// Addrs returns the bound addresses; their ports are equal.
func (s *Server) Addrs() (udp, tcp netip.AddrPort) {
	return unmap(s.udp.LocalAddr().(*net.UDPAddr).AddrPort()), tcpAddr(s.tcp.Addr())
}

// TLSAddr is the bound address of TURN over TLS; invalid where there is none.
func (s *Server) TLSAddr() netip.AddrPort {
	if s.tls == nil {
		return netip.AddrPort{}
	}
	return tcpAddr(s.tls.Addr())
}

// Close closes the sockets, every connection and every relay and returns when
// all goroutines have ended; those of pion/turn have then done their last call.
// It may be called any number of times, by anyone; all calls return the same
// error.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.done)
		s.closeErr = errors.Join(s.udp.Close(), s.tcp.Close())
		for _, socket := range s.more {
			s.closeErr = errors.Join(s.closeErr, socket.Close())
		}
		if s.tls != nil {
			s.closeErr = errors.Join(s.closeErr, s.tls.Close())
		}
		s.mu.Lock()
		s.closed = true
		open := slices.Collect(maps.Values(s.conns))
		s.mu.Unlock()
		for _, p := range open {
			cut(p.conn)
		}
		s.closeRelays()
		s.wg.Wait()
		for _, g := range s.gates {
			<-g.ended
		}
	})
	return s.closeErr
}

// serveUDP answers datagrams until the socket is closed.
func (s *Server) serveUDP(link datagrams) {
	buf := make([]byte, maxMessage+1) // one more, to tell a datagram that was cut
	for {
		n, from, err := link.read(buf)
		if err != nil {
			return
		}
		if out := respond(buf[:n], from); out != nil {
			if err := link.write(out, from); err != nil {
				s.cfg.Logger.Debug("stun udp write", "to", from, "err", err)
			}
		}
	}
}

// accept takes connections until the listener is closed.
func (s *Server) accept(listener *net.TCPListener, secure *tls.Config) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if !s.pause("stun tcp accept", err) {
				return
			}
			continue
		}
		if p := s.admit(conn); p != nil {
			s.wg.Go(func() { s.serveConn(p, secure) })
		}
	}
}

// serveConn serves one connection until its end.
func (s *Server) serveConn(p *place, secure *tls.Config) {
	defer s.release(p)
	if secure == nil {
		s.serveStream(p, p.conn, "tcp")
		return
	}
	over, err := s.handshake(p.conn, secure)
	switch {
	case errors.Is(err, net.ErrClosed): // from this side
		return
	case err != nil:
		s.refuseTLS(tcpAddr(p.conn.RemoteAddr()), err)
		return
	}
	s.serveStream(p, over, "tls")
}

func (s *Server) refuseTLS(client netip.AddrPort, err error) {
	if Distrusted(err) {
		s.refuse("tls", client, "the client does not trust the certificate: "+err.Error(), s.turn.TLSCure)
		return
	}
	s.refuse("tls", client, "the TLS handshake failed: "+err.Error(), "the client speaks no TLS there, or one older than 1.1, or gave up")
}

// Distrusted tells the alerts by which clients refuse a certificate (RFC 8446 section 6.2: bad_certificate, certificate_unknown,
// unknown_ca and their like) from other errors of a handshake. Their type is not exported.
func Distrusted(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "remote error: ") && strings.Contains(text, "certificate")
}

// serveStream serves messages until the end of their stream, which is the place's connection or inside it.
func (s *Server) serveStream(p *place, conn net.Conn, transport string) {
	link := &stream{conn: conn, from: tcpAddr(conn.RemoteAddr()), place: p, idle: s.cfg.IdleTimeout}
	if s.turn.Credentials == nil {
		s.answer(link)
		return
	}
	g := s.newGate(link, transport)
	if err := g.start(); err != nil {
		s.cfg.Logger.Error("turn server", "err", err)
		return
	}
	<-g.ended
	g.closeRelays()
}

// handshake has a deadline of its own, so that silent clients hold no place for long.
func (s *Server) handshake(conn net.Conn, secure *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.IdleTimeout)
	defer cancel()
	over := tls.Server(conn, secure)
	return over, over.HandshakeContext(ctx)
}

// answer serves a stream without TURN.
func (s *Server) answer(link *stream) {
	buf := make([]byte, maxMessage+1)
	for {
		n, from, err := link.read(buf)
		if err != nil {
			return
		}
		if out := respond(buf[:n], from); out != nil {
			if link.write(out, from) != nil {
				return
			}
		}
	}
}

// pause handles an error of a socket that should live: it reports false once
// the server is closed; otherwise it logs and waits a little, so that a lasting
// fault (no file descriptors, say) does not take a core.
func (s *Server) pause(event string, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.lines.Warn(s.cfg.Logger, event, event, "err", err)
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-s.done:
		return false
	case <-t.C:
		return true
	}
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
