package stunserver

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v2"
)

// What scripts/turnabuse does to the program, in small: when clients have done their worst and gone, nothing is left.
func TestNothingIsLeftOfHostileAndCarelessClients(t *testing.T) {
	s := startTURN(t, func(_ *Config, turn *TURNConfig) {
		turn.Limits = func() Limits { return Limits{Lifetime: time.Second} }
	})
	username, password := s.issue()
	before := runtime.NumGoroutine()

	for i := range 50 {
		c := dial(t, "tcp", s.addr)
		write(t, c, []byte([]string{"\x40\x00\xff\xfc" + strings.Repeat("\x00", 60), "GET / HTTP/1.1\r\n\r\n", "\x00\x03"}[i%3]))
		_ = c.Close()
	}
	wrong := s.session(t, username, "wrong")
	for range 500 {
		wantCode(t, "a wrong credential", wrong.ask(stun.MethodAllocate, overUDP()), stun.CodeUnauthorized)
	}
	_ = wrong.conn.Close()
	var gone []*session
	for range 60 { // they never refresh, and their sockets are closed when all are made, so that none has the port of another
		x := s.session(t, username, password)
		wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
		wantCode(t, "permission", x.ask(stun.MethodCreatePermission, peerAttr("127.0.0.1:9")), 0)
		gone = append(gone, x)
	}
	for _, x := range gone {
		_ = x.conn.Close()
	}

	until(t, "allocations and connections end", func() bool {
		got := s.Stats()
		return len(got.Allocations) == 0 && got.Connections == 0
	})
	until(t, "their goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.creds.mu.Lock()
	defer s.creds.mu.Unlock()
	s.gates[0].mu.Lock()
	defer s.gates[0].mu.Unlock()
	if n := len(s.relays) + len(s.byUsername) + len(s.creds.held) + len(s.gates[0].relays); n != 0 {
		t.Errorf("%d entries are left in the tables", n)
	}
	if got := s.counters.refused["wrong-credential"]; got != 500 {
		t.Errorf("%d wrong credentials were counted", got)
	}
}
