package emulator

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait of these tests that should be short.
const patience = 10 * time.Second

func TestFirstByteTellsTheProtocol(t *testing.T) {
	for first := range 256 {
		want := protocolUnknown
		switch {
		case first >= 'A' && first <= 'Z':
			want = protocolHTTP
		case first == 0 || first == 1:
			want = protocolSTUN
		case first == tlsHandshake:
			want = protocolTLS
		}
		if got := classify(byte(first)); got != want {
			t.Errorf("%#x: got %v, want %v", first, got, want)
		}
	}
}

// startDemux runs a demux with an HTTP server behind it that answers "web" and an ICE side that echoes one frame.
func startDemux(t *testing.T, edit func(*demux)) (addr string, log *lockedBuffer) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = &lockedBuffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var ice sync.WaitGroup
	echo := func(conn net.Conn) {
		ice.Go(func() {
			defer conn.Close()
			_, _ = io.CopyN(conn, conn, int64(len(frame)))
		})
	}
	d := newDemux(ln.Addr(), logger)
	d.open([]net.Listener{ln}, entrance{web: d.web.give, stun: echo})
	edit(d)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "web")
	}), ReadHeaderTimeout: patience}
	var web sync.WaitGroup
	web.Go(func() { _ = server.Serve(d.web) })
	d.start()
	t.Cleanup(func() {
		d.close()
		_ = server.Close()
		web.Wait()
		ice.Wait()
		goleak.VerifyNone(t)
	})
	return ln.Addr().String(), log
}

// frame is a Binding request of RFC 8489 without attributes in a frame of RFC 4571.
var frame = append([]byte{0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, "transaction1"...)

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func mustWrite(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestHTTPAndICEShareOnePort(t *testing.T) {
	addr, _ := startDemux(t, func(*demux) {})
	ice := dial(t, addr)
	mustWrite(t, ice, frame)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || string(body) != "web" {
		t.Errorf("HTTP: got %q, %v", body, err)
	}
	got := make([]byte, len(frame))
	if _, err := io.ReadFull(ice, got); err != nil || !bytes.Equal(got, frame) {
		t.Errorf("ICE: got %x, %v, want the whole frame", got, err)
	}
}

func TestFirstByteMayComeAlone(t *testing.T) {
	addr, _ := startDemux(t, func(*demux) {})
	conn := dial(t, addr)
	for _, b := range frame {
		mustWrite(t, conn, []byte{b})
	}
	got := make([]byte, len(frame))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, frame) {
		t.Errorf("got %x, %v", got, err)
	}
}

// wantEnd waits for the other side to close.
func wantEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("not closed: %v", err)
	}
}

func TestNeitherHTTPNorICEIsClosedWithALogLine(t *testing.T) {
	addr, log := startDemux(t, func(*demux) {})
	for _, first := range []byte{'x', tlsHandshake} { // the door of this test speaks no TLS
		conn := dial(t, addr)
		mustWrite(t, conn, []byte{first})
		wantEnd(t, conn)
		mustWaitFor(t, "the log line", func() bool { return bytes.Contains(log.Bytes(), []byte(conn.LocalAddr().String())) })
	}
}

func TestSilentConnectionIsClosed(t *testing.T) {
	addr, _ := startDemux(t, func(d *demux) { d.wait = time.Millisecond })
	wantEnd(t, dial(t, addr))
}

func TestSilentConnectionsAreBounded(t *testing.T) {
	addr, _ := startDemux(t, func(d *demux) { d.doors[0].places = make(chan struct{}, 1) })
	silent, next := dial(t, addr), dial(t, addr)
	mustWrite(t, next, frame)
	short := time.Now().Add(50 * time.Millisecond)
	if err := next.SetReadDeadline(short); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(frame))
	if _, err := io.ReadFull(next, got); err == nil {
		t.Fatal("served beyond the bound")
	}
	mustWrite(t, silent, frame) // classified, so its place is free
	if err := next.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(next, got); err != nil {
		t.Errorf("not served when a place was free: %v", err)
	}
}

// TestSilenceAtOneListenerKeepsNoOtherOneWaiting: each has places of its own.
func TestSilenceAtOneListenerKeepsNoOtherOneWaiting(t *testing.T) {
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var d *demux
	addr, _ := startDemux(t, func(made *demux) {
		d = made
		d.wait = time.Hour
		d.open([]net.Listener{second}, d.doors[0].entrance)
		d.doors[0].places = make(chan struct{}, 1)
		d.doors[1].places = make(chan struct{}, 1)
	})
	dial(t, addr)
	mustWaitFor(t, "the place to be taken", func() bool { return len(d.doors[0].places) == 1 })
	conn, got := dial(t, second.Addr().String()), make([]byte, len(frame))
	mustWrite(t, conn, frame)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Errorf("at the other listener: %v", err)
	}
}

func TestCloseEndsSilentConnectionsAtOnce(t *testing.T) {
	var d *demux
	addr, _ := startDemux(t, func(made *demux) { d = made; d.wait = time.Hour })
	conn := dial(t, addr)
	mustWaitFor(t, "the connection to be accepted", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.silent) == 1
	})
	d.close()
	d.close()
	wantEnd(t, conn)
	if after, err := net.Dial("tcp", addr); err == nil {
		_ = after.Close()
		t.Error("still accepts")
	}
}

// TestFloodOfWrongConnectionsIsCountedInTheLog: each of these lines is for somebody to act on, and none may bury the others.
func TestFloodOfWrongConnectionsIsCountedInTheLog(t *testing.T) {
	within := &entrance{stun: func(net.Conn) {}}
	plain, secure, shared := &entrance{}, &entrance{tls: &tls.Config{}, within: &entrance{}}, &entrance{tls: &tls.Config{}, within: within}
	for text, err := range map[string]error{
		"does not trust the certificate":              handshakeError{errors.New("remote error: tls: unknown certificate authority")},
		"plain HTTP to a port that is for HTTPS":      refusedProtocol{protocolHTTP, secure},
		"TLS to a port that is for plain HTTP":        refusedProtocol{protocolTLS, plain},
		"STUN outside of TLS":                         refusedProtocol{protocolSTUN, shared},
		"a port where neither ICE nor TURN is served": refusedProtocol{protocolSTUN, plain},
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &lockedBuffer{}
				d := newDemux(nil, slog.New(slog.NewTextHandler(log, nil)))
				conn, other := net.Pipe()
				defer conn.Close()
				defer other.Close()
				for range 1000 {
					d.explain(conn, err)
				}
				logged := bytes.Count(log.Bytes(), []byte(text))
				if logged == 0 || logged > 20 || bytes.Contains(log.Bytes(), []byte("not_logged")) {
					t.Fatalf("of a flood %d lines are logged:\n%s", logged, log.Bytes())
				}
				<-time.After(time.Minute)
				d.explain(conn, err)
				if want := fmt.Sprintf("not_logged=%d", 1000-logged); !bytes.Contains(log.Bytes(), []byte(want)) {
					t.Errorf("the next line does not say %s:\n%s", want, log.Bytes())
				}
			})
		})
	}
}

// failing is a listener that is out of files until it is closed.
type failing struct {
	net.Listener
	closed chan struct{}
	tries  atomic.Int64
}

func (f *failing) Accept() (net.Conn, error) {
	select {
	case <-f.closed:
		return nil, net.ErrClosed
	default:
		f.tries.Add(1)
		return nil, syscall.EMFILE
	}
}

func (f *failing) Close() error { close(f.closed); return nil }

func TestListenerThatKeepsFailingIsCountedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		log := &lockedBuffer{}
		d := newDemux(ln.Addr(), slog.New(slog.NewTextHandler(log, nil)))
		out := &failing{Listener: ln, closed: make(chan struct{})}
		d.open([]net.Listener{out}, entrance{})
		d.start()
		<-time.After(time.Minute)
		d.close()
		if lines, tries := bytes.Count(log.Bytes(), []byte("\n")), out.tries.Load(); lines > 100 || tries < 1000 ||
			!bytes.Contains(log.Bytes(), []byte("not_logged=")) {
			t.Errorf("%d failures, %d lines", tries, lines)
		}
	})
}

// mustWaitFor polls until something is true.
func mustWaitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// lockedBuffer is a log's target that may be read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}
