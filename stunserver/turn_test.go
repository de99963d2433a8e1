package stunserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"
)

// handClock moves when a test says so.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
}

func newHandClock() *handClock {
	return &handClock{now: time.Unix(1_800_000_000, 0), timers: map[chan time.Time]time.Time{}}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) At(moment time.Time) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fired := make(chan time.Time, 1)
	if moment.After(c.now) {
		c.timers[fired] = moment
	} else {
		fired <- moment
	}
	return fired, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, fired)
	}
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for fired, at := range c.timers {
		if !at.After(c.now) {
			delete(c.timers, fired)
			fired <- at
		}
	}
}

// relaying is a server with TURN and what tests need of it.
type relaying struct {
	*Server
	clock *handClock
	creds *Credentials
	addr  netip.AddrPort
	roots *x509.CertPool
}

func startTURN(t *testing.T, edit func(*Config, *TURNConfig)) *relaying {
	t.Helper()
	clock := newHandClock()
	creds := NewCredentials(clock)
	t.Cleanup(creds.Close)
	certificate, roots := testCertificate(t)
	cfg := Config{TLSAddr: "127.0.0.1:0"}
	turn := TURNConfig{Credentials: creds, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	if edit != nil {
		edit(&cfg, &turn)
	}
	s, addr := startWith(t, cfg, turn)
	return &relaying{s, clock, creds, addr, roots}
}

func testCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// client is pion's TURN client over the transport.
func (s *relaying) client(t *testing.T, transport, username, password string) *turn.Client {
	t.Helper()
	conn, to := s.open(t, transport)
	return clientOn(t, conn, to, username, password)
}

func clientOn(t *testing.T, conn net.PacketConn, to, username, password string) *turn.Client {
	t.Helper()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: to, TURNServerAddr: to, Conn: conn, Username: username, Password: password, LoggerFactory: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); _ = conn.Close() })
	return c
}

func (s *relaying) open(t *testing.T, transport string) (conn net.PacketConn, to string) {
	t.Helper()
	switch transport {
	case "udp":
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return conn, s.addr.String()
	case "tcp":
		conn, err := net.Dial("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		return turn.NewSTUNConn(conn), s.addr.String()
	default:
		conn, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{RootCAs: s.roots})
		if err != nil {
			t.Fatal(err)
		}
		return turn.NewSTUNConn(conn), s.TLSAddr().String()
	}
}

func (s *relaying) issue() (username, password string) { return s.creds.Issue("key", time.Hour) }

// allocate makes an allocation, which must succeed.
func (s *relaying) allocate(t *testing.T, transport string) net.PacketConn {
	t.Helper()
	username, password := s.issue()
	return relayOf(t, s.client(t, transport, username, password))
}

func relayOf(t *testing.T, c *turn.Client) net.PacketConn {
	t.Helper()
	relay, err := c.Allocate()
	if err != nil {
		t.Fatalf("allocate: %v", err)
	}
	t.Cleanup(func() { _ = relay.Close() })
	return relay
}

// echo is a peer that sends everything back.
func echo(t *testing.T) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(buf[:n], from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return conn.LocalAddr()
}

// round sends a packet to the peer and waits for it to come back.
func round(relay net.PacketConn, peer net.Addr, text string) error {
	if _, err := relay.WriteTo([]byte(text), peer); err != nil {
		return err
	}
	if err := relay.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buf := make([]byte, 2000)
	n, _, err := relay.ReadFrom(buf)
	if err != nil {
		return err
	}
	if string(buf[:n]) != text {
		return errors.New("came back as " + string(buf[:n]))
	}
	return nil
}

// until polls, with a deadline.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

var transports = []string{"udp", "tcp", "tls"}

func TestPacketsAreRelayedOverEveryTransport(t *testing.T) {
	s := startTURN(t, nil)
	peer := echo(t)
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			relay := s.allocate(t, transport)
			for range 20 { // by indications first, then by a channel
				if err := round(relay, peer, strings.Repeat("x", 1201)); err != nil {
					t.Fatal(err)
				}
			}
			stats := s.Stats()
			if len(stats.Allocations) != 1 || stats.Allocations[0].Transport != transport || stats.Allocations[0].SentBytes < 20*1201 {
				t.Errorf("stats %+v", stats)
			}
			_ = relay.Close()
			until(t, "the allocation ends with the client", func() bool { return len(s.Stats().Allocations) == 0 })
		})
	}
	if stats := s.Stats(); stats.Allocated != 3 || stats.SentBytes < 60*1201 || stats.RecvBytes < 60*1201 || stats.RecvPackets < 60 {
		t.Errorf("stats %+v", stats)
	}
}

func TestBindingIsAnsweredBesideTURN(t *testing.T) {
	s := startTURN(t, nil)
	for _, network := range []string{"udp", "tcp"} {
		c, req := dial(t, network, s.addr), request()
		write(t, c, req.Raw)
		expectOwnAddress(t, c, req)
	}
	c, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{RootCAs: s.roots, NextProtos: []string{"stun.turn"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := c.ConnectionState().NegotiatedProtocol; got != "stun.turn" {
		t.Errorf("ALPN %q", got)
	}
	req := request()
	write(t, c, req.Raw)
	expectOwnAddress(t, c, req)
}

// A stream message of ChannelData whose length wraps around 65536 kept pion/turn busy for ever, after 64 bytes.
func TestChannelDataWhoseLengthOverflowsClosesTheConnection(t *testing.T) {
	s := startTURN(t, nil)
	for _, head := range []string{"\x40\x00\xff\xfc", "\x40\x00\xff\xff", "\x40\x00\xff\xfd", "\x40\x00\x06\x3d"} {
		c := dial(t, "tcp", s.addr)
		write(t, c, []byte(head+strings.Repeat("\x00", 60)))
		expectClosed(t, c)
	}
	until(t, "no connection is left", func() bool { return s.Stats().Connections == 0 })
	if err := roundOver(t, s, "tcp"); err != nil {
		t.Error(err)
	}
}

func roundOver(t *testing.T, s *relaying, transport string) error {
	t.Helper()
	relay := s.allocate(t, transport)
	return round(relay, echo(t), "hello")
}

func TestAllocationsEndWithTheirCredential(t *testing.T) {
	s := startTURN(t, nil)
	for _, transport := range transports {
		for name, end := range map[string]func(username string){
			"revoked": func(username string) { s.creds.Revoke("key", username) },
			"expired": func(string) { s.clock.advance(time.Hour) },
			"deleted": func(string) { s.creds.RevokeKey("key") },
		} {
			t.Run(transport+" "+name, func(t *testing.T) {
				key := "key"
				if name == "deleted" {
					key = "key " + transport
					end = func(string) { s.creds.RevokeKey(key) }
				}
				username, password := s.creds.Issue(key, time.Hour)
				c := s.client(t, transport, username, password)
				relay, err := c.Allocate()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = relay.Close() })
				if err := round(relay, echo(t), "hello"); err != nil {
					t.Fatal(err)
				}
				at := relay.LocalAddr().(*net.UDPAddr)
				end(username)
				until(t, "the allocation ends", func() bool { return len(s.Stats().Allocations) == 0 })
				// The port is free, so nothing of the allocation is left.
				until(t, "the relay's port is free", func() bool {
					conn, err := net.ListenUDP("udp4", at)
					if err == nil {
						_ = conn.Close()
					}
					return err == nil
				})
				if _, err := s.client(t, transport, username, password).Allocate(); err == nil || !strings.Contains(err.Error(), "401") {
					t.Errorf("another allocation: %v", err)
				}
			})
		}
	}
}

// The client's port is the same, so its next allocation must not go with what is left of the last one.
func TestAClientAllocatesAgainAtOnce(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	x := s.session(t, username, password)
	for i := range 200 {
		wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
		if i%2 == 0 {
			wantCode(t, "end", x.ask(stun.MethodRefresh, raw(stun.AttrLifetime, 0, 0, 0, 0)), 0)
		} else {
			s.mu.Lock()
			for r := range s.relays {
				go func() { _ = r.Close() }()
			}
			s.mu.Unlock()
			until(t, "the relay is closed", func() bool { return len(s.Stats().Allocations) == 0 })
		}
	}
	wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
	wantCode(t, "permission", x.ask(stun.MethodCreatePermission, peerAttr("127.0.0.1:9")), 0)
	if n := len(s.Stats().Allocations); n != 1 {
		t.Errorf("%d allocations", n)
	}
}

func TestAnAllocationThatIsNotRefreshedEnds(t *testing.T) {
	s := startTURN(t, func(_ *Config, turn *TURNConfig) {
		turn.Limits = func() Limits { return Limits{Lifetime: time.Second} }
	})
	username, password := s.issue()
	x := s.session(t, username, password)
	res := x.ask(stun.MethodAllocate, overUDP())
	if life, _ := lifetime(res); life != time.Second {
		t.Errorf("lifetime %s", life)
	}
	until(t, "the allocation ends", func() bool { return len(s.Stats().Allocations) == 0 })
	wantCode(t, "refresh", x.ask(stun.MethodRefresh), stun.CodeAllocMismatch)
}

func TestPrivatePeersAreForbiddenButForTheSFU(t *testing.T) {
	peer := echo(t)
	own := netip.MustParseAddrPort(peer.String())
	s := startTURN(t, func(_ *Config, turn *TURNConfig) {
		turn.PublicPeersOnly = true
		turn.Own = func() map[netip.AddrPort]netip.AddrPort { return map[netip.AddrPort]netip.AddrPort{own: own} }
	})
	username, password := s.issue()
	x := s.session(t, username, password)
	x.ask(stun.MethodAllocate, overUDP())
	for _, ip := range []string{"10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.2", "169.254.1.1", "224.0.0.1", "100.64.0.1", "0.0.0.0", "255.255.255.255"} {
		wantCode(t, ip, x.ask(stun.MethodCreatePermission, peerAttr(ip+":9")), stun.CodeForbidden)
		wantCode(t, ip, x.ask(stun.MethodChannelBind, raw(stun.AttrChannelNumber, 0x40, 0, 0, 0), peerAttr(ip+":9")), stun.CodeForbidden)
	}
	wantCode(t, "a public peer", x.ask(stun.MethodCreatePermission, peerAttr("192.0.2.1:9")), 0)

	relay := s.allocate(t, "udp")
	if err := round(relay, peer, "to the SFU"); err != nil {
		t.Error(err)
	}
	before := s.Stats().Dropped
	if _, err := relay.WriteTo([]byte("to its neighbour"), echo(t)); err != nil {
		t.Error(err)
	}
	until(t, "what goes to another port of the SFU's address is dropped", func() bool { return s.Stats().Dropped > before })
}

func TestPeersThatAreNoHostsAreForbiddenInEveryMode(t *testing.T) {
	for name, change := range map[string]func(*Config, *TURNConfig){
		"any peer":     nil,
		"public peers": func(_ *Config, turn *TURNConfig) { turn.PublicPeersOnly = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := startTURN(t, change)
			username, password := s.issue()
			x := s.session(t, username, password)
			wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
			peers := []string{"169.254.169.254", "169.254.0.1", "224.0.0.251", "239.255.255.250", "255.255.255.255", "0.0.0.0", "0.0.0.1", "::ffff:169.254.169.254"}
			for _, ip := range peers {
				peer := netip.AddrPortFrom(netip.MustParseAddr(ip), 9).String()
				wantCode(t, peer, x.ask(stun.MethodCreatePermission, peerAttr(peer)), stun.CodeForbidden)
				wantCode(t, peer, x.ask(stun.MethodChannelBind, raw(stun.AttrChannelNumber, 0x40, 0, 0, 0), peerAttr(peer)), stun.CodeForbidden)
			}
			stats := s.Stats()
			if got, want := stats.Refused["peer-no-host"], uint64(2*len(peers)); got != want {
				t.Errorf("%d refusals are counted, want %d", got, want)
			}
			if got := stats.Allocations[0].Peers; got != 0 {
				t.Errorf("%d peers have a permission", got)
			}
		})
	}
}

func TestAllocationsAreMetered(t *testing.T) {
	for name, tc := range map[string]struct {
		limits Limits
		peers  []string // that a burst of packets goes to
		pass   uint64   // of ten
	}{
		"packets":   {Limits{Packets: 3}, []string{"127.0.0.1:9"}, 3},
		"bits":      {Limits{Bits: 8 * maxMessage}, []string{"127.0.0.1:9"}, 1},
		"new peers": {Limits{NewPeers: 1}, []string{"127.0.0.1:9", "127.0.0.2:9"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTURN(t, func(_ *Config, turn *TURNConfig) { turn.Limits = func() Limits { return tc.limits } })
			username, password := s.issue()
			x := s.session(t, username, password)
			wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
			for _, peer := range tc.peers {
				wantCode(t, "permission", x.ask(stun.MethodCreatePermission, peerAttr(peer)), 0)
			}
			for i := range 10 {
				write(t, x.conn, stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
					peerAttr(tc.peers[i%len(tc.peers)]), raw(stun.AttrData, make([]byte, 900)...)).Raw)
			}
			until(t, "ten packets are sent or dropped", func() bool { got := s.Stats(); return got.SentPackets+got.Dropped == 10 })
			if got := s.Stats(); got.SentPackets < tc.pass || got.SentPackets > tc.pass+1 { // one more if the machine was slow
				t.Errorf("%d packets pass, want %d", got.SentPackets, tc.pass)
			}
		})
	}
}

// pion/stun/v2 panics on a short address that ends where its buffer ends, and with it the process.
func TestAShortPeerInAnIndicationIsDropped(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	x := s.session(t, username, password)
	wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
	for n := range 128 {
		write(t, x.conn, stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication),
			raw(stun.AttrData, make([]byte, 4*n)...), raw(stun.AttrXORPeerAddress)).Raw)
	}
	wantCode(t, "refresh", x.ask(stun.MethodRefresh), 0)
}

// pion/turn deletes by LocalAddr, among others, and may do so after the client has allocated again.
func TestEachAllocationOfAClientHasAKeyOfItsOwn(t *testing.T) {
	g, from := heldGate(t)
	g.link = datagrams{socket: listenUDP(t)}
	g.relays[from].local = &net.UDPAddr{Port: 7}
	g.face(from)
	if g.LocalAddr() != g.relays[from].local {
		t.Errorf("the client's allocation is %s", g.LocalAddr())
	}
	delete(g.relays, from)
	g.face(from)
	first := g.LocalAddr().String()
	g.face(from)
	if second := g.LocalAddr().String(); second == first {
		t.Errorf("both are %s", first)
	}
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// onePort is a server with one port for relays, and the relay that has it.
func onePort(t *testing.T) (s *relaying, port int, relay net.PacketConn) {
	t.Helper()
	var err error
	for range 10 { // another program may take the port before the relay does
		free := listenUDP(t)
		port = free.LocalAddr().(*net.UDPAddr).Port
		_ = free.Close()
		s = startTURN(t, func(_ *Config, turn *TURNConfig) { turn.RelayPorts = PortRange{uint16(port), uint16(port)} })
		username, password := s.issue()
		if relay, err = s.client(t, "udp", username, password).Allocate(); err == nil {
			t.Cleanup(func() { _ = relay.Close() })
			return s, port, relay
		}
	}
	t.Fatal(err)
	return nil, 0, nil
}

func TestRelayPortsStayInTheirRange(t *testing.T) {
	s, port, relay := onePort(t)
	if got := relay.LocalAddr().(*net.UDPAddr).Port; got != port {
		t.Errorf("relay on port %d, want %d", got, port)
	}
	username, password := s.issue()
	x := s.session(t, username, password)
	wantCode(t, "no port left", x.ask(stun.MethodAllocate, overUDP()), stun.CodeInsufficientCapacity)
	if s.Stats().Refused["no-port"] != 1 {
		t.Errorf("stats %+v", s.Stats())
	}
}

func TestCloseEndsAllocations(t *testing.T) {
	s := startTURN(t, nil)
	for _, transport := range transports {
		s.allocate(t, transport)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := len(s.Stats().Allocations); n != 0 {
		t.Errorf("%d allocations are left", n)
	}
}

// TestAStreamWithAnAllocationMayBeIdle: that the gate says of it that it has one is part of TestConnectionsWithAllocationsAreBounded.
func TestAStreamWithAnAllocationMayBeIdle(t *testing.T) {
	const idle = 30 * time.Second
	for name, tc := range map[string]struct {
		use  func(far net.Conn, s *stream)
		want time.Duration // until the end of the stream
	}{
		"silent": {func(net.Conn, *stream) {}, idle},
		"half a message": {func(far net.Conn, _ *stream) {
			<-time.After(idle / 2)
			_, _ = far.Write(request().Raw[:10])
		}, idle/2 + idle},
		"a byte now and then": {func(far net.Conn, _ *stream) {
			for _, b := range request().Raw[:19] {
				<-time.After(idle / 5)
				_, _ = far.Write([]byte{b})
			}
		}, idle*4/5 + idle},
		"an allocation": {func(_ net.Conn, s *stream) { <-time.After(time.Hour); s.busy(false) }, time.Hour + idle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				s := &stream{conn: near, place: &place{heard: new(atomic.Uint64)}, idle: idle}
				if name == "an allocation" {
					s.busy(true) // the reader made it
				}
				begun := time.Now()
				ended := make(chan time.Duration)
				go func() {
					_, _, err := s.read(make([]byte, maxMessage))
					_ = near.Close()
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("ended by %v", err)
					}
					ended <- time.Since(begun)
				}()
				synctest.Wait()
				var using sync.WaitGroup
				defer using.Wait()
				using.Go(func() { tc.use(far, s) })
				if got := <-ended; got != tc.want {
					t.Errorf("ended after %s, want %s", got, tc.want)
				}
			})
		})
	}
}

func TestNoCredentialIsLogged(t *testing.T) {
	var out lockedBuilder
	s := startTURN(t, func(c *Config, _ *TURNConfig) {
		c.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	username, password := s.issue()
	s.session(t, username, "wrong-canary").ask(stun.MethodAllocate, overUDP())
	s.session(t, "username-canary", password).ask(stun.MethodAllocate, overUDP())
	x := s.session(t, username, password)
	x.ask(stun.MethodAllocate, overUDP())
	x.ask(stun.MethodAllocate, overUDP())
	s.creds.Revoke("key", username)
	until(t, "the end is logged", func() bool { return strings.Contains(out.String(), "allocation ended") })
	for _, canary := range []string{username, password, "wrong-canary", "username-canary"} {
		if strings.Contains(out.String(), canary) {
			t.Errorf("the log has %q:\n%s", canary, out.String())
		}
	}
	if !strings.Contains(out.String(), "not-issued") {
		t.Errorf("the log does not say why:\n%s", out.String())
	}
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
