package sfu

import (
	"net/netip"
	"time"

	"github.com/pion/rtp"

	"github.com/callsemu/callsemu/sfu/internal/udp"
)

// path is one way to an endpoint: an address behind one of the SFU's sockets, or a TCP connection.
type path struct {
	sock *udp.Socket
	addr netip.AddrPort
	tcp  *tcpConn
}

// send writes one datagram at once: STUN, DTLS and RTCP, which must not wait for a burst. Errors are those of a network
// that lost a packet, or of a socket that is being closed.
func (p path) send(b []byte) {
	if p.tcp != nil {
		p.tcp.enqueue(b)
		return
	}
	_ = p.sock.WriteTo(b, p.addr)
}

// worker is what one reading goroutine owns: where it collects the bursts that it received and the packets that it sends.
// Nothing in it is shared.
type worker struct {
	sfu     *SFU
	batches map[*udp.Socket]*udp.Batch
	last    *udp.Batch // the batch of lastFor; most bursts leave through one socket
	lastFor *udp.Socket
	scratch []byte // for TCP, which has no batch
	header  rtp.Header
	seal    rtp.Header
	bursts  []burst
	used    int // bursts in use
	now     time.Time
}

// burst is what one read gave of one stream.
type burst struct {
	stream  *stream
	packets []packet
}

func newWorker(s *SFU) *worker {
	return &worker{sfu: s, batches: map[*udp.Socket]*udp.Batch{}, scratch: make([]byte, maxPacket)}
}

// reserve returns room for a packet of n bytes to p.
func (w *worker) reserve(p path, n int) []byte {
	if p.tcp != nil {
		if n > len(w.scratch) {
			w.scratch = make([]byte, n)
		}
		return w.scratch[:n:n]
	}
	if w.lastFor != p.sock {
		b := w.batches[p.sock]
		if b == nil {
			b = p.sock.NewBatch()
			w.batches[p.sock] = b
		}
		w.last, w.lastFor = b, p.sock
	}
	return w.last.Reserve(n)
}

// commit sends the first n bytes of what reserve returned for p, with the next flush.
func (w *worker) commit(p path, n int) {
	if p.tcp != nil {
		p.tcp.enqueue(w.scratch[:n])
		return
	}
	w.last.Commit(n, p.addr)
}

func (w *worker) flush() {
	for _, b := range w.batches {
		b.Flush()
	}
}

// collect adds a packet to its stream's burst.
func (w *worker) collect(s *stream, p packet) {
	for i := range w.used {
		if w.bursts[i].stream == s {
			w.bursts[i].packets = append(w.bursts[i].packets, p)
			return
		}
	}
	if w.used == len(w.bursts) {
		w.bursts = append(w.bursts, burst{})
	}
	b := &w.bursts[w.used]
	w.used++
	b.stream = s
	b.packets = append(b.packets[:0], p)
}

// forward hands every burst to its publication, and sends what came of it.
func (w *worker) forward() {
	for i := range w.used {
		b := &w.bursts[i]
		if pub := b.stream.section.publication.Load(); pub != nil {
			pub.forward(b.stream, b.packets, w)
		}
		b.stream = nil
	}
	w.used = 0
	w.flush()
}
