package sfu

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
)

// firstFlight is what a DTLS client sends first.
func firstFlight(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	client, err := dtls.ClientWithOptions(dtlsPipe{here}, pipeAddr{}, dtls.WithInsecureSkipVerify(true))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = client.HandshakeContext(ctx) // ends with the context
	}()
	hello := make([]byte, 2000)
	n, err := there.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, there) }() // ends with the pipe
	_ = here.Close()
	<-done
	_ = client.Close()
	return hello[:n]
}

// dtlsPipe is one end of a pipe as a net.PacketConn.
type dtlsPipe struct{ net.Conn }

func (p dtlsPipe) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	return n, pipeAddr{}, err
}

func (p dtlsPipe) WriteTo(b []byte, _ net.Addr) (int, error) { return p.Write(b) }

// TestCloseNotifyInTheHandshakeEndsThePeer: a close_notify that comes right behind the handshake may be what pion reports instead of
// its success, so that one within it is the end as well.
func TestCloseNotifyInTheHandshakeEndsThePeer(t *testing.T) {
	s, err := New(Config{UDP: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	hello := firstFlight(t)
	at := path{sock: s.sockets[0], addr: netip.MustParseAddrPort("127.0.0.1:9")}
	for _, tc := range []struct {
		level, description byte
		gone               bool
	}{{1, 0, true}, {2, 40, false}} { // close_notify, and handshake_failure, after which the endpoint connects again
		p, err := s.NewPeer()
		if err != nil {
			t.Fatal(err)
		}
		p.receiveDTLS(hello, at)
		p.mu.Lock()
		pending := p.pending
		p.mu.Unlock()
		p.receiveDTLS([]byte{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, tc.level, tc.description}, at)
		select {
		case <-pending.closed:
		case <-time.After(10 * time.Second):
			t.Fatal("the handshake goes on")
		}
		if tc.gone {
			select {
			case <-p.Done():
			case <-time.After(10 * time.Second):
				t.Error("close_notify is not the end")
			}
		}
		if state, _ := p.State(); (state == StateClosed) != tc.gone {
			t.Errorf("alert %d: state %v", tc.description, state)
		}
		_ = p.Close()
	}
}
