package stunserver

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
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

	// MaxConns bounds the TCP connections that are open at one time; the next
	// one is closed as soon as it is accepted. Zero means 256.
	MaxConns int

	// IdleTimeout ends a TCP connection that did not complete a message in
	// that time, counted from its start or from the previous message. Zero
	// means 30 s: browsers keep the connection for the length of a call's
	// gathering and reconnect when they need it again.
	IdleTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxConns == 0 {
		c.MaxConns = 256
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 30 * time.Second
	}
	return c
}

// Server is a running STUN server. Make one with New, end it with Close.
type Server struct {
	// Fixed after New.
	cfg  Config
	udp  *net.UDPConn
	tcp  *net.TCPListener
	done chan struct{} // closed by the first Close

	wg        sync.WaitGroup // every goroutine of this server
	closeOnce sync.Once
	closeErr  error

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// New binds both sockets and serves until Close. Its errors wrap ErrBadAddr,
// ErrBusy or ErrNotLocal where one of these is the reason, and the system's
// error otherwise; on an error nothing stays open.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	udp, tcp, err := listen(cfg.Addr)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:   cfg,
		udp:   udp,
		tcp:   tcp,
		done:  make(chan struct{}),
		conns: make(map[net.Conn]struct{}),
	}
	s.wg.Go(s.serveUDP)
	s.wg.Go(s.serveTCP)
	return s, nil
}

// Addrs returns the bound addresses; their ports are equal.
func (s *Server) Addrs() (udp, tcp netip.AddrPort) {
	return unmap(s.udp.LocalAddr().(*net.UDPAddr).AddrPort()),
		unmap(s.tcp.Addr().(*net.TCPAddr).AddrPort())
}

// Close closes the sockets and every connection and returns when all
// goroutines have ended. It may be called any number of times, by anyone; all
// calls return the same error.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.done)
		s.closeErr = errors.Join(s.udp.Close(), s.tcp.Close())
		s.mu.Lock()
		s.closed = true
		for c := range s.conns {
			_ = c.Close() // the reader of c sees it and ends
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s.closeErr
}

// serveUDP answers datagrams until the socket is closed.
func (s *Server) serveUDP() {
	buf := make([]byte, maxMessage+1) // one more, to tell a datagram that was cut
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if !s.pause("stun udp read", err) {
				return
			}
			continue
		}
		out := respond(buf[:n], from)
		if out == nil {
			continue
		}
		if _, err := s.udp.WriteToUDPAddrPort(out, from); err != nil {
			s.cfg.Logger.Debug("stun udp write", "to", from, "err", err)
		}
	}
}

// serveTCP accepts connections until the listener is closed.
func (s *Server) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			if !s.pause("stun tcp accept", err) {
				return
			}
			continue
		}
		if !s.admit(conn) {
			_ = conn.Close()
			continue
		}
		s.wg.Go(func() { s.serveConn(conn) })
	}
}

// admit registers a connection, unless the server is full or closed.
func (s *Server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.cfg.MaxConns {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) release(conn net.Conn) {
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	_ = conn.Close()
}

// serveConn answers the messages of one connection, framed by the length in
// their headers (RFC 8489 section 6.2.2). A stream that is not STUN cannot be
// brought into step again, so it is closed.
func (s *Server) serveConn(conn net.Conn) {
	defer s.release(conn)
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	buf := make([]byte, maxMessage)
	for {
		// One deadline for a whole message: a client that trickles bytes
		// does not renew it.
		if err := conn.SetDeadline(time.Now().Add(s.cfg.IdleTimeout)); err != nil {
			return
		}
		msg, ok := readMessage(conn, buf)
		if !ok {
			return
		}
		if out := respond(msg, from); out != nil {
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
	}
}

// readMessage reads one message into buf. ok is false when the stream ended,
// is not STUN, or announces a message that does not fit.
func readMessage(r io.Reader, buf []byte) (msg []byte, ok bool) {
	if _, err := io.ReadFull(r, buf[:headerSize]); err != nil {
		return nil, false
	}
	n, ok := messageLength(buf[:headerSize])
	if !ok || n > len(buf) {
		return nil, false
	}
	if _, err := io.ReadFull(r, buf[headerSize:n]); err != nil {
		return nil, false
	}
	return buf[:n], true
}

// pause handles an error of a socket that should live: it reports false once
// the server is closed; otherwise it logs and waits a little, so that a lasting
// fault (no file descriptors, say) does not take a core.
func (s *Server) pause(event string, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.cfg.Logger.Warn(event, "err", err)
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
