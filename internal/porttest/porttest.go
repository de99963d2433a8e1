package porttest

import (
	"fmt"
	"net"
	"testing"
)

const tries = 64

// Reserve returns 127.0.0.1:N, where nobody listens over TCP until the test itself does, on that address or on 0.0.0.0; the test ends the
// reservation. It keeps the server's end of a connection: the system gives its number to nobody who asks for any, and refuses whoever
// connects to it.
func Reserve(t testing.TB) string {
	t.Helper()
	addr, keep, err := reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keep)
	return addr
}

// ReserveTCP is Reserve where 127.0.0.1:N over UDP is in use, by the socket that is returned; the test closes it.
func ReserveTCP(t testing.TB) *net.UDPConn {
	t.Helper()
	var last error
	for range tries {
		addr, end, err := reserve()
		if err != nil {
			t.Fatal(err)
		}
		socket, err := net.ListenPacket("udp4", addr)
		if err != nil {
			last = err
			end()
			continue
		}
		t.Cleanup(func() { _ = socket.Close(); end() })
		return socket.(*net.UDPConn)
	}
	t.Fatalf("no number is free over UDP and TCP: %v", last)
	return nil
}

// Pair listens on one number of 127.0.0.1 over TCP and UDP; the test closes both.
func Pair(t testing.TB) (net.Listener, *net.UDPConn) {
	t.Helper()
	socket := ReserveTCP(t)
	listener, err := net.Listen("tcp4", socket.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener, socket
}

func reserve() (addr string, end func(), err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		return "", nil, err
	}
	for range tries { // strangers may be first
		var server net.Conn
		if server, err = listener.Accept(); err != nil {
			break
		}
		if server.RemoteAddr().String() == client.LocalAddr().String() {
			return listener.Addr().String(), func() { _ = client.Close(); _ = server.Close() }, nil
		}
		_ = server.Close()
	}
	_ = client.Close()
	return "", nil, fmt.Errorf("no connection to %s: %w", listener.Addr(), err)
}
