package stunserver

import (
	"net"
	"sync/atomic"
)

// place is that of one connection, of which there are Config.MaxConns.
type place struct {
	conn    net.Conn
	heard   *atomic.Uint64 // Server.heard
	spoke   atomic.Uint64  // its value when the connection came, completed its newest message, or lost its last allocation
	relayed atomic.Bool    // an allocation lives on the connection
}

// speak makes the connection the one that has been silent for the shortest time.
func (p *place) speak() { p.spoke.Store(p.heard.Add(1)) }

// cut closes a connection without a close_notify of TLS, for which a client that takes nothing would keep others waiting. Its reader sees
// it and ends. What is around another connection, as TLS is, tells it by NetConn.
func cut(conn net.Conn) {
	for {
		around, is := conn.(interface{ NetConn() net.Conn })
		if !is {
			break
		}
		conn = around.NetConn()
	}
	_ = conn.Close()
}

// admit gives a connection a place, or closes it and returns nil. Where all places are taken, the connection without an allocation
// that has completed no message for the longest gives up its own, so that silent ones keep nobody out (RFC 8489 section 6.2.2 leaves
// overload to the server; who is closed may connect again).
func (s *Server) admit(conn net.Conn) *place {
	p, dropped, closed := s.seat(conn)
	switch {
	case dropped != nil:
		s.refuse("connections", tcpAddr(dropped.conn.RemoteAddr()), "as many connections over TCP and TLS are open as there may be, and "+
			"none without an allocation was silent for longer", "close those that are not needed; this one may connect again")
		cut(dropped.conn)
	case p == nil:
		if !closed {
			s.refuse("connections", tcpAddr(conn.RemoteAddr()), "as many connections over TCP and TLS have allocations as may be open",
				"close those that are not needed")
		}
		cut(conn)
	}
	return p
}

// seat registers a connection; dropped had the place before, if any one had to give it up. p is nil where there is none.
func (s *Server) seat(conn net.Conn) (p, dropped *place, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, true
	}
	if len(s.conns) >= s.cfg.MaxConns {
		if dropped = s.quietestLocked(); dropped == nil {
			return nil, nil, false
		}
		delete(s.conns, dropped.conn)
	}
	p = &place{conn: conn, heard: &s.heard}
	p.speak()
	s.conns[conn] = p
	return p, dropped, false
}

// quietestLocked needs mu. It finds the connection that may lose its place first, nil where all have allocations.
func (s *Server) quietestLocked() (quietest *place) {
	for _, p := range s.conns {
		if !p.relayed.Load() && (quietest == nil || p.spoke.Load() < quietest.spoke.Load()) {
			quietest = p
		}
	}
	return quietest
}

// release gives the place back when the connection is closed; until then it can be cut.
func (s *Server) release(p *place) {
	_ = p.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, p.conn)
}
