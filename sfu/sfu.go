package sfu

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/logging"
	"github.com/pion/stun/v4"

	"github.com/callsemu/callsemu/internal/pionlog"
	"github.com/callsemu/callsemu/sfu/internal/udp"
)

const (
	// maxTCP bounds the ICE-TCP connections; each holds some 200 KB of buffers.
	maxTCP           = 2048
	defaultLostAfter = 8 * time.Second
	// tickInterval paces everything that is repeated: retransmission requests, key frame requests, reports, the look for
	// lost endpoints.
	tickInterval = 50 * time.Millisecond
)

// Config is what an SFU needs. The zero value works: one socket on 127.0.0.1.
type Config struct {
	UDP       []netip.AddrPort // local addresses to open, one socket each; port 0 picks one; default 127.0.0.1:0
	TCP       []netip.AddrPort // where connections given to ServeTCP arrive; offered as passive TCP candidates
	Advertise []netip.AddrPort // when set, replaces the offered addresses; port 0 means the first UDP socket's port
	OnlyFirst bool             // offer the first UDP address alone, as the real service does (contract 3.1)
	LostAfter time.Duration    // silence after which a connected Peer is StateLost, in real time; default 8 s
	Logger    *slog.Logger     // default slog.Default()
}

func (c Config) withDefaults() Config {
	if len(c.UDP) == 0 {
		c.UDP = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)}
	}
	if c.LostAfter == 0 {
		c.LostAfter = defaultLostAfter
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// SFU holds the sockets and the Peers that are reached through them.
type SFU struct {
	// Fixed after New.
	cfg         Config
	log         *slog.Logger
	logging     logging.LoggerFactory
	sockets     []*udp.Socket
	certificate tls.Certificate
	fingerprint string // "sha-256 AA:BB..."

	wg   sync.WaitGroup // socket readers, TCP loops, the ticker
	done chan struct{}

	mu     sync.RWMutex
	closed bool
	tcp    []netip.AddrPort
	peers  map[*Peer]struct{}
	ufrags map[string]credential // of all ICE generations of all Peers
	routes map[path]*Peer        // authenticated paths only: see serveSTUN
	conns  map[*tcpConn]struct{}
	checks map[[stun.TransactionIDSize]byte]check // that have not been answered

	advertise []netip.AddrPort
}

// New opens the sockets and starts to read them. One certificate serves all Peers; it is made anew each time, so that
// nothing outlives the process.
func New(cfg Config) (*SFU, error) {
	cfg = cfg.withDefaults()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the dtls key: %w", err)
	}
	certificate, err := selfsign.SelfSign(key)
	if err != nil {
		return nil, fmt.Errorf("make the dtls certificate: %w", err)
	}
	sum := sha256.Sum256(certificate.Certificate[0])
	s := &SFU{
		cfg:         cfg,
		log:         cfg.Logger,
		logging:     pionlog.Factory{Log: cfg.Logger},
		certificate: certificate,
		fingerprint: "sha-256 " + colons(sum[:]),
		done:        make(chan struct{}),
		tcp:         cfg.TCP,
		peers:       map[*Peer]struct{}{},
		ufrags:      map[string]credential{},
		routes:      map[path]*Peer{},
		conns:       map[*tcpConn]struct{}{},
		checks:      map[[stun.TransactionIDSize]byte]check{},
		advertise:   cfg.Advertise,
	}
	for _, addr := range cfg.UDP {
		sock, err := udp.Listen(addr)
		if err != nil {
			for _, open := range s.sockets {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		s.sockets = append(s.sockets, sock)
	}
	for _, sock := range s.sockets {
		s.start(func() { s.read(sock) })
	}
	s.start(s.tick)
	return s, nil
}

// start runs f on a goroutine that Close joins; f does not run after Close.
func (s *SFU) start(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
}

// LocalAddrs are the addresses of the UDP sockets.
func (s *SFU) LocalAddrs() []netip.AddrPort {
	out := make([]netip.AddrPort, len(s.sockets))
	for i, sock := range s.sockets {
		out[i] = sock.Addr()
	}
	return out
}

// SetTCP replaces Config.TCP, for a listener that is opened after the SFU.
func (s *SFU) SetTCP(addrs []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tcp = addrs
}

// SetAdvertise replaces Config.Advertise for all SDP made from now on; nothing means the sockets' own addresses.
func (s *SFU) SetAdvertise(addrs []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advertise = addrs
}

// NewPeer makes a Peer without a transport; it fails with ErrClosed only. labels are keys and values for its log lines.
func (s *SFU) NewPeer(labels ...any) (*Peer, error) {
	p := newPeer(s)
	p.log = s.log.With(labels...)
	return p, s.admit(p)
}

func (s *SFU) admit(p *Peer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.peers[p] = struct{}{}
	s.ufrags[p.ufrag] = credential{p, p.pwd}
	return nil
}

// credential is what checks that carry its ufrag must know.
type credential struct {
	peer *Peer
	pwd  string
}

// restart adds a Peer's next ICE generation. The one before stays good, for media flows over it until the endpoint has
// moved (RFC 8445 section 9); older ones end.
func (s *SFU) restart(p *Peer, before, ufrag, pwd string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, alive := s.peers[p]; !alive {
		return
	}
	for old, c := range s.ufrags {
		if c.peer == p && old != before {
			delete(s.ufrags, old)
		}
	}
	s.ufrags[ufrag] = credential{p, pwd}
}

// forget takes a Peer out of all tables, so that nothing more reaches it.
func (s *SFU) forget(p *Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p)
	for ufrag, c := range s.ufrags {
		if c.peer == p {
			delete(s.ufrags, ufrag)
		}
	}
	for at, owner := range s.routes {
		if owner == p {
			delete(s.routes, at)
		}
	}
	for id, c := range s.checks {
		if c.peer == p {
			delete(s.checks, id)
		}
	}
}

func (s *SFU) byUfrag(ufrag string) (credential, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.ufrags[ufrag]
	return c, ok
}

func (s *SFU) peerAt(from path) *Peer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.routes[from]
}

// read is a socket's goroutine.
func (s *SFU) read(sock *udp.Socket) {
	w := newWorker(s)
	err := sock.Serve(func(burst []udp.Packet) {
		w.now = time.Now()
		var peer *Peer
		var from path
		for _, pkt := range burst {
			if at := (path{sock: sock, addr: pkt.From}); at != from || peer == nil {
				from, peer = at, s.peerAt(at)
			}
			s.receive(w, peer, from, pkt.Data)
		}
		w.forward()
	})
	if err != nil {
		s.log.Error("udp socket failed: media on this address stops; restart callsemu", "addr", sock.Addr(), "error", err)
	}
}

// receive is the first step of every packet: what is it, and whose.
func (s *SFU) receive(w *worker, p *Peer, from path, b []byte) {
	switch {
	case isSTUN(b):
		s.serveSTUN(b, from)
	case p == nil: // no authenticated path: nobody's
	case isDTLS(b):
		p.receiveDTLS(b, from)
	case !isMedia(b):
	case isRTCP(b):
		p.receiveRTCP(w, b)
	default:
		p.receiveRTP(w, b)
	}
}

// ServeTCP takes over a connection that speaks ICE-TCP (RFC 6544). It returns at once.
func (s *SFU) ServeTCP(conn net.Conn) {
	t := newTCPConn(conn)
	s.mu.Lock()
	if s.closed || len(s.conns) >= maxTCP {
		s.mu.Unlock()
		t.close()
		return
	}
	s.conns[t] = struct{}{}
	s.wg.Go(t.write)
	s.wg.Go(func() { s.readTCP(t) })
	s.mu.Unlock()
}

func (s *SFU) readTCP(t *tcpConn) {
	w := newWorker(s)
	from := path{tcp: t}
	t.read(func(burst []udp.Packet) {
		w.now = time.Now()
		for _, pkt := range burst {
			s.receive(w, s.peerAt(from), from, pkt.Data)
		}
		w.forward()
	}, func() bool { return s.peerAt(from) != nil })
	s.mu.Lock()
	p := s.routes[from]
	delete(s.routes, from)
	delete(s.conns, t)
	s.mu.Unlock()
	if p != nil {
		p.pathGone(from)
	}
}

// tick is the goroutine of everything that is repeated.
func (s *SFU) tick() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	var peers []*Peer
	for {
		select {
		case <-s.done:
			return
		case now := <-ticker.C:
			s.mu.RLock()
			peers = peers[:0]
			for p := range s.peers {
				peers = append(peers, p)
			}
			s.mu.RUnlock()
			for _, p := range peers {
				p.tick(now)
			}
			clear(peers)
		}
	}
}

// Close closes every Peer and socket and joins all goroutines. It may be called more than once.
func (s *SFU) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	var peers []*Peer
	for p := range s.peers {
		peers = append(peers, p)
	}
	s.mu.Unlock()
	if !already {
		close(s.done)
	}
	var all sync.WaitGroup
	for _, p := range peers {
		all.Go(func() { _ = p.Close() })
	}
	all.Wait() // close_notify has left before the sockets go
	var err error
	for _, sock := range s.sockets {
		if e := sock.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	s.mu.RLock()
	for t := range s.conns {
		t.close()
	}
	s.mu.RUnlock()
	s.wg.Wait()
	return err
}
