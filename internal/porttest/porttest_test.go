package porttest

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// mustBeReserved: no client can have the number, nor does one reach anybody there.
func mustBeReserved(t *testing.T, addr string) {
	t.Helper()
	if conn, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("who connects gets %v, %v", conn, err)
	}
	somewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = somewhere.Close() }()
	own, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	client := net.Dialer{LocalAddr: own}
	if conn, err := client.Dial("tcp", somewhere.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a client has the number: %v, %v", conn, err)
	}
}

func TestTheTestAloneCanListenThere(t *testing.T) {
	addr := Reserve(t)
	mustBeReserved(t, addr)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{addr, "0.0.0.0:" + port, "127.0.0.1:" + port} {
		listener, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatalf("at %s: %v", at, err)
		}
		_ = listener.Close()
	}
}

func TestUDPIsInUseAndTCPIsFree(t *testing.T) {
	addr := ReserveTCP(t).LocalAddr().String()
	if _, err := net.ListenPacket("udp", addr); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("UDP: %v", err)
	}
	mustBeReserved(t, addr)
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

func TestPairHasOneNumber(t *testing.T) {
	listener, socket := Pair(t)
	if listener.Addr().String() != socket.LocalAddr().String() {
		t.Errorf("%s and %s", listener.Addr(), socket.LocalAddr())
	}
}
