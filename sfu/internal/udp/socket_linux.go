package udp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct mmsghdr (recvmmsg(2)); Go pads it as C does.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// sockaddr holds an IPv4 or IPv6 socket address in the kernel's form.
type sockaddr [unix.SizeofSockaddrInet6]byte

// put writes a into the sockaddr and returns its length.
func (sa *sockaddr) put(a netip.AddrPort, six bool) uint32 {
	binary.BigEndian.PutUint16(sa[2:], a.Port())
	if !six {
		binary.NativeEndian.PutUint16(sa[0:], unix.AF_INET)
		ip := a.Addr().As4()
		copy(sa[4:8], ip[:])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(sa[0:], unix.AF_INET6)
	ip := a.Addr().As16()
	copy(sa[8:24], ip[:])
	return unix.SizeofSockaddrInet6
}

func (sa *sockaddr) get(six bool) netip.AddrPort {
	port := binary.BigEndian.Uint16(sa[2:])
	if !six {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sa[4:8])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(sa[8:24])).Unmap(), port)
}

type reader struct {
	hdrs  [readBurst]mmsghdr
	iovs  [readBurst]unix.Iovec
	addrs [readBurst]sockaddr
	bufs  [readBurst][maxDatagram]byte
	n     int
	err   error
}

func (r *reader) init() {
	for i := range r.hdrs {
		r.iovs[i].Base = &r.bufs[i][0]
		r.iovs[i].SetLen(maxDatagram)
		h := &r.hdrs[i].hdr
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Name = &r.addrs[i][0]
	}
}

// read takes what is there; false means nothing is, and the netpoller should wait.
func (r *reader) read(fd uintptr) bool {
	for i := range r.hdrs {
		r.hdrs[i].hdr.Namelen = uint32(len(r.addrs[i]))
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])), readBurst, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.n = int(n)
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			r.err = errno
			return true
		}
	}
}

// Serve hands every burst that arrives to handle, on the caller's goroutine, until Close. Errors of single reads (an
// ICMP message from some peer) are not the socket's end and are passed over.
func (s *Socket) Serve(handle func([]Packet)) error {
	r := &reader{}
	r.init()
	read := r.read // one closure for the socket's life
	var burst [readBurst]Packet
	for {
		r.n, r.err = 0, nil
		if err := s.raw.Read(read); err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		if r.err != nil {
			continue
		}
		for i := range r.n {
			burst[i] = Packet{Data: r.bufs[i][:r.hdrs[i].n], From: r.addrs[i].get(s.six)}
		}
		handle(burst[:r.n])
	}
}
