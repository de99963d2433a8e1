package stunserver

import (
	"net"
	"net/netip"
)

// datagrams is a link over a UDP socket, which all its clients share.
type datagrams struct {
	server *Server
	socket *net.UDPConn
}

// read implements link. It goes on after an error of the socket, until that is closed.
func (d datagrams) read(p []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := d.socket.ReadFromUDPAddrPort(p)
		if err == nil {
			return n, unmap(from), nil
		}
		if !d.server.pause("stun udp read", err) {
			return 0, netip.AddrPort{}, err
		}
	}
}

// write implements link.
func (d datagrams) write(p []byte, to netip.AddrPort) error {
	_, err := d.socket.WriteToUDPAddrPort(p, to)
	return err
}

// localAddr implements link.
func (d datagrams) localAddr() netip.AddrPort {
	return unmap(d.socket.LocalAddr().(*net.UDPAddr).AddrPort())
}

// busy implements link; a socket lives as long as its server.
func (datagrams) busy(bool) {}

// close implements link.
func (d datagrams) close() error { return d.socket.Close() }
