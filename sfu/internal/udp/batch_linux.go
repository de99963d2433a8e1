package udp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	arenaSize    = 192 << 10
	maxMessages  = 192
	maxSegments  = 64    // UDP_MAX_SEGMENTS of the kernel
	maxRun       = 65000 // bytes of one segmented send, below the 65,507 of a UDP payload
	usualSegment = 1200
	controlSize  = 24 // CMSG_SPACE(2) on 64-bit systems, more than enough on 32-bit
)

// message is one send: a single datagram, or a run of equal ones that the kernel cuts apart.
type message struct {
	to      netip.AddrPort
	start   int // in the arena
	size    int // bytes in all
	segment int // bytes of each datagram but the last
	count   int // datagrams
}

// Batch collects the datagrams that one goroutine sends through one Socket and gives them to the kernel at Flush.
type Batch struct {
	sock  *Socket
	arena []byte
	used  int
	msgs  []message

	// What the kernel reads, one per message, reused by every Flush.
	hdrs     [maxMessages]mmsghdr
	iovs     [maxMessages]unix.Iovec
	addrs    [maxMessages]sockaddr
	controls [maxMessages][controlSize]byte

	next    int // the first message not yet sent
	done    bool
	try     func(uintptr)      // made once: a closure per Flush would be garbage
	waitFor func(uintptr) bool // the same, for RawConn.Write
}

// NewBatch makes a Batch for the calling goroutine.
func (s *Socket) NewBatch() *Batch {
	b := &Batch{sock: s, arena: make([]byte, arenaSize), msgs: make([]message, 0, maxMessages)}
	b.try = func(fd uintptr) { b.done = b.send(fd) }
	b.waitFor = b.send
	return b
}

// Reserve returns n bytes in which the next datagram may be built. Nothing is sent unless Commit follows.
func (b *Batch) Reserve(n int) []byte {
	if b.used+n > len(b.arena) || len(b.msgs) == maxMessages {
		b.Flush()
	}
	return b.arena[b.used : b.used+n : b.used+n]
}

// Commit queues the first n bytes of what Reserve returned for to.
func (b *Batch) Commit(n int, to netip.AddrPort) {
	start := b.used
	b.used += n
	if k := len(b.msgs); k > 0 && !b.sock.gsoRefused.Load() && b.msgs[k-1].extend(n, to) {
		return
	}
	b.msgs = append(b.msgs, message{to: to, start: start, size: n, segment: n, count: 1})
}

// extend adds n bytes to a run when the kernel can cut them off again: the same receiver, no longer than the segment,
// and nothing after a shorter one.
func (m *message) extend(n int, to netip.AddrPort) bool {
	if m.to != to || n > m.segment || m.size != m.count*m.segment || m.count == maxSegments || m.size+n > maxRun {
		return false
	}
	m.size += n
	m.count++
	return true
}

// Flush sends all that was committed. It waits only while the kernel's buffer is full.
func (b *Batch) Flush() {
	if len(b.msgs) == 0 {
		b.used = 0
		return
	}
	total := 0
	for i := range b.msgs {
		b.prepare(i)
		total += b.msgs[i].count
	}
	b.next, b.done = 0, false
	// Control takes no lock, which Write does; Write waits for room, which Control cannot.
	if err := b.sock.raw.Control(b.try); err == nil && !b.done {
		_ = b.sock.raw.Write(b.waitFor) // fails only on a closed socket, whose packets are void
	}
	b.sock.sent.Add(uint64(total))
	b.msgs, b.used = b.msgs[:0], 0
}

func (b *Batch) prepare(i int) {
	m := &b.msgs[i]
	b.iovs[i].Base = &b.arena[m.start]
	b.iovs[i].SetLen(m.size)
	h := &b.hdrs[i].hdr
	h.Name = &b.addrs[i][0]
	h.Namelen = b.addrs[i].put(m.to, b.sock.six)
	h.Iov = &b.iovs[i]
	h.SetIovlen(1)
	h.Control = nil
	h.SetControllen(0)
	if m.count > 1 {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&b.controls[i][0]))
		c.Level, c.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
		binary.NativeEndian.PutUint16(b.controls[i][unix.CmsgLen(0):], uint16(m.segment))
		h.Control = &b.controls[i][0]
		h.SetControllen(unix.CmsgSpace(2))
	}
}

// send gives the rest of the messages to the kernel; false means that its buffer is full.
func (b *Batch) send(fd uintptr) bool {
	for b.next < len(b.msgs) {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.hdrs[b.next])), uintptr(len(b.msgs)-b.next), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.next += int(n)
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return false
		default:
			b.refused(fd, errno)
			b.next++
		}
	}
	return true
}

// refused handles a message that the kernel would not take. A run is sent again one by one, and no run is tried again on
// this socket when the refusal is of the kind that segmentation draws (a device or a kernel without it).
func (b *Batch) refused(fd uintptr, errno unix.Errno) {
	m := &b.msgs[b.next]
	if m.count == 1 {
		b.sock.dropped.Add(1)
		return
	}
	switch errno {
	case unix.EIO, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		b.sock.gsoRefused.Store(true)
	case unix.EINVAL:
		// Segments above the path's MTU draw it too; those say nothing about the smaller ones that are usual.
		b.sock.gsoRefused.Store(m.segment <= usualSegment)
	}
	for off := 0; off < m.size; off += m.segment {
		part := b.arena[m.start+off : m.start+min(off+m.segment, m.size)]
		_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&part[0])), uintptr(len(part)), 0,
			uintptr(unsafe.Pointer(&b.addrs[b.next][0])), uintptr(b.hdrs[b.next].hdr.Namelen))
		if e != 0 {
			b.sock.dropped.Add(1)
		}
	}
}
