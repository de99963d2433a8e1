package sfutest

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// stunServer answers Binding requests from the second one on, so that one must be repeated. It first sends what is no answer.
func stunServer(t *testing.T) string {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	served := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-served })
	go func() { // ends with the socket; the cleanup waits for it
		defer close(served)
		buf := make([]byte, 1500)
		for seen := 0; ; seen++ {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			request := stun.New()
			if seen == 0 || stun.Decode(buf[:n], request) != nil {
				continue
			}
			at := from.(*net.UDPAddr)
			other := stun.MustBuild(stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: at.IP, Port: 9})
			answer := stun.MustBuild(request, stun.BindingSuccess, &stun.XORMappedAddress{IP: at.IP, Port: at.Port})
			for _, packet := range [][]byte{[]byte("noise"), other.Raw, answer.Raw} {
				_, _ = conn.WriteTo(packet, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func TestBindingAsksAgainAndTakesItsOwnAnswer(t *testing.T) {
	seen, err := Binding(t.Context(), stunServer(t))
	must(t, err)
	if seen.Addr().String() != "127.0.0.1" || seen.Port() == 9 || seen.Port() == 0 {
		t.Errorf("seen as %s", seen)
	}
}

func TestBindingEndsWithItsContext(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0") // never answers
	must(t, err)
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if seen, err := Binding(ctx, conn.LocalAddr().String()); err == nil || !strings.Contains(err.Error(), "no answer over UDP") {
		t.Errorf("seen as %s, %v", seen, err)
	}
}

func TestBindingReportsThatNobodyListens(t *testing.T) {
	conn, err := net.Dial("udp4", "127.0.0.1:9") // it hears that address alone, and keeps its own from anybody else
	must(t, err)
	defer func() { _ = conn.Close() }()
	addr := conn.LocalAddr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if seen, err := Binding(ctx, addr); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("seen as %s, %v", seen, err)
	}
}
