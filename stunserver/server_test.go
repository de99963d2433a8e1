package stunserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v2"
	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/internal/porttest"
)

// patience is how long a test waits for what must happen.
const patience = 5 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server on a free port of loopback until the test ends.
func start(t *testing.T, cfg Config) (*Server, netip.AddrPort) {
	t.Helper()
	return startWith(t, cfg, TURNConfig{})
}

func startWith(t *testing.T, cfg Config, turn TURNConfig) (*Server, netip.AddrPort) {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(turn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	udp, tcp := s.Addrs()
	if udp != tcp {
		t.Fatalf("udp on %s, tcp on %s", udp, tcp)
	}
	return s, udp
}

func dial(t *testing.T, network string, to netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial(network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func request() *stun.Message {
	return stun.MustBuild(stun.BindingRequest, stun.TransactionID)
}

func write(t *testing.T, w io.Writer, parts ...[]byte) {
	t.Helper()
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

// expectOwnAddress reads one answer to req from c: it must name c's own end.
func expectOwnAddress(t *testing.T, c net.Conn, req *stun.Message) {
	t.Helper()
	buf := make([]byte, 32) // a success over IPv4, exactly
	if _, err := io.ReadFull(c, buf); err != nil {
		t.Fatal(err)
	}
	res := decode(t, buf)
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(res); err != nil {
		t.Fatal(err)
	}
	if res.TransactionID != req.TransactionID || mapped.String() != c.LocalAddr().String() {
		t.Errorf("answer %s with address %s to %s from %s", res, mapped, req, c.LocalAddr())
	}
}

// expectClosed waits for the server to close c.
func expectClosed(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection still open: read %d bytes, %v", n, err)
	}
}

func TestBindingOverUDPAndTCP(t *testing.T) {
	_, at := start(t, Config{})
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			c, req := dial(t, network, at), request()
			write(t, c, req.Raw)
			expectOwnAddress(t, c, req)
		})
	}
}

func TestDatagramsThatAreNotSTUNDoNotDisturbTheServer(t *testing.T) {
	_, at := start(t, Config{})
	c, req := dial(t, "udp", at), request()
	write(t, c, []byte{0}, []byte("hello"), make([]byte, 9000), req.Raw)
	expectOwnAddress(t, c, req)
}

func TestTCPMessagesAreFramedByTheirHeader(t *testing.T) {
	_, at := start(t, Config{})
	c, first, second, third := dial(t, "tcp", at), request(), request(), request()
	indication := stun.MustBuild(stun.NewType(stun.MethodBinding, stun.ClassIndication), stun.TransactionID)
	// Two and a half messages at once, then the rest; an indication between
	// them is not answered.
	write(t, c, bytes.Join([][]byte{first.Raw, indication.Raw, second.Raw, third.Raw[:7]}, nil))
	expectOwnAddress(t, c, first)
	expectOwnAddress(t, c, second)
	write(t, c, third.Raw[7:])
	expectOwnAddress(t, c, third)
}

func TestHostileTCPBytesCloseTheConnection(t *testing.T) {
	_, at := start(t, Config{})
	for name, data := range map[string]string{
		"HTTP":                       "GET / HTTP/1.1\r\nHost: stun\r\n\r\n",
		"TLS":                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x55", 40),
		"ChannelData of 65532 bytes": "\x40\x00\xff\xfc" + strings.Repeat("\x00", 60),
		"wrong cookie":               "\x00\x01\x00\x00\x21\x12\xa4\x43" + strings.Repeat("\x00", 12),
		"length not a multiple of 4": "\x00\x01\x00\x02\x21\x12\xa4\x42" + strings.Repeat("\x00", 14),
		"message of 1604 bytes":      "\x00\x01\x06\x30\x21\x12\xa4\x42" + strings.Repeat("\x00", 12),
		"message of 65552 bytes":     "\x00\x01\xff\xfc\x21\x12\xa4\x42" + strings.Repeat("\x00", 12),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, "tcp", at)
			write(t, c, []byte(data))
			expectClosed(t, c)
		})
	}
	c, req := dial(t, "tcp", at), request()
	write(t, c, req.Raw)
	expectOwnAddress(t, c, req)
}

func TestLargestTCPMessageIsAnswered(t *testing.T) {
	_, at := start(t, Config{})
	c := dial(t, "tcp", at)
	req := request()
	req.Add(stun.AttrSoftware, make([]byte, maxMessage-headerSize-4))
	if len(req.Raw) != maxMessage {
		t.Fatalf("request of %d bytes", len(req.Raw))
	}
	write(t, c, req.Raw)
	expectOwnAddress(t, c, req)
}

func TestIdleAndTricklingConnectionsAreClosed(t *testing.T) {
	_, at := start(t, Config{IdleTimeout: 50 * time.Millisecond})
	t.Run("idle", func(t *testing.T) { expectClosed(t, dial(t, "tcp", at)) })
	t.Run("half a message", func(t *testing.T) {
		c := dial(t, "tcp", at)
		write(t, c, request().Raw[:10])
		expectClosed(t, c)
	})
	t.Run("a byte now and then", func(t *testing.T) {
		c := dial(t, "tcp", at)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		// A message of 1600 bytes would take 16 s at this pace.
		data := message(t, "0001", strings.Repeat("80220000", (maxMessage-headerSize)/4))
		began := time.Now()
		for _, b := range data {
			<-tick.C
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			if time.Since(began) > patience/2 {
				t.Fatal("the connection lives on a byte at a time")
			}
		}
	})
}

func TestCloseEndsOpenConnectionsAndMayBeRepeated(t *testing.T) {
	s, at := start(t, Config{})
	c, req := dial(t, "tcp", at), request()
	write(t, c, req.Raw)
	expectOwnAddress(t, c, req)
	for range 50 { // so many that one would still be served, did Close not wait
		c, req := dial(t, "tcp", at), request()
		write(t, c, req.Raw)
		expectOwnAddress(t, c, req)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	s.mu.Lock()
	if n := len(s.conns); n != 0 {
		t.Errorf("close returned while %d connections were served", n)
	}
	s.mu.Unlock()
	expectClosed(t, c)
	// Both ports are free again.
	again, err := New(Config{Addr: at.String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestBusyAddressIsNamed(t *testing.T) {
	_, at := start(t, Config{})
	if _, err := New(Config{Addr: at.String()}); !errors.Is(err, ErrBusy) || !strings.Contains(fmt.Sprint(err), at.String()) {
		t.Errorf("both taken: %v", err)
	}

	taken := porttest.ReserveTCP(t).LocalAddr().String()
	_, err := New(Config{Addr: taken})
	if !errors.Is(err, ErrBusy) || err.Error() != "udp "+taken+": address already in use" {
		t.Errorf("udp taken: %v", err)
	}
	// The TCP half was given back.
	l, err := net.Listen("tcp4", taken)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestUnusableAddresses(t *testing.T) {
	for addr, want := range map[string]error{
		"":                ErrBadAddr,
		"127.0.0.1":       ErrBadAddr,
		"127.0.0.1:x":     ErrBadAddr,
		"127.0.0.1:65536": ErrBadAddr,
		"127.0.0.1:-1":    ErrBadAddr,
		"192.0.2.1:0":     ErrNotLocal, // TEST-NET-1
	} {
		if _, err := New(Config{Addr: addr}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", addr, err, want)
		}
	}
}

func TestEmptyHostListensOnEveryAddress(t *testing.T) {
	_, at := start(t, Config{Addr: ":0"})
	c, req := dial(t, "udp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())), request()
	write(t, c, req.Raw)
	expectOwnAddress(t, c, req)
}

// Clients drop URLs that contain ":53".
func TestTheSystemDoesNotChooseAPortThatClientsDrop(t *testing.T) {
	for name, open := range map[string]func(sockets) (*net.TCPListener, error){
		"udp and tcp": func(s sockets) (*net.TCPListener, error) {
			udp, tcp, err := s.listen("127.0.0.1:0")
			if err == nil {
				_ = udp.Close()
			}
			return tcp, err
		},
		"tls": func(s sockets) (*net.TCPListener, error) { return s.listenTLS("127.0.0.1:0") },
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			s := sockets{udp: net.ListenUDP, tcp: func(network string, a *net.TCPAddr) (*net.TCPListener, error) {
				if !first {
					return net.ListenTCP(network, a)
				}
				first = false
				for port := 53000; port < 53999; port++ {
					if l, err := net.ListenTCP(network, &net.TCPAddr{IP: a.IP, Port: port}); err == nil {
						return l, nil
					}
				}
				return nil, errors.New("every port from 53000 on is taken")
			}}
			tcp, err := open(s)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tcp.Close() }()
			if strings.Contains(tcp.Addr().String(), ":53") {
				t.Errorf("listens on %s", tcp.Addr())
			}
		})
	}
}

func TestPortZeroLooksForAPortFreeOnBoth(t *testing.T) {
	for _, tc := range []struct {
		busy int // attempts whose UDP port is taken
		ok   bool
	}{{0, true}, {3, true}, {portAttempts, false}} {
		t.Run(fmt.Sprint(tc.busy), func(t *testing.T) {
			attempts := 0
			s := sockets{tcp: net.ListenTCP, udp: func(network string, a *net.UDPAddr) (*net.UDPConn, error) {
				attempts++
				if attempts <= tc.busy {
					return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
				}
				return net.ListenUDP(network, a)
			}}
			udp, tcp, err := s.listen("127.0.0.1:0")
			if (err == nil) != tc.ok || (!tc.ok && !errors.Is(err, ErrBusy)) {
				t.Fatalf("after %d attempts: %v", attempts, err)
			}
			if err == nil {
				_ = udp.Close()
				_ = tcp.Close()
			} else if attempts != portAttempts {
				t.Errorf("%d attempts", attempts)
			}
		})
	}
}
