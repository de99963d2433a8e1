package sfu

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callsemu/callsemu/sfu/internal/udp"
)

const (
	// maxPacket is the longest datagram that travels either way: an Ethernet frame's worth and some room.
	maxPacket = 2048
	// tcpQueue is how many packets may wait for a slow TCP endpoint: a second and a half of HD video. Beyond it the newest
	// is dropped and counted; a receiver over TCP that is this late has lost the picture anyhow.
	tcpQueue = 1024
	// tcpSilence ends a connection on which nothing arrives; ICE checks come every few seconds.
	tcpSilence = 60 * time.Second
	// tcpProof is how long a connection may go without an authenticated check.
	tcpProof = 10 * time.Second
	// tcpBurst is how many frames are taken from the buffer before they are forwarded.
	tcpBurst = 32
)

var errFrame = errors.New("frame longer than a packet")

// tcpConn is one ICE-TCP connection (RFC 6544, framed as in RFC 4571): a reader, which is the packet path's worker, and a
// writer behind a bounded queue, so that a slow endpoint never delays another.
type tcpConn struct {
	conn    net.Conn
	out     chan []byte
	pool    sync.Pool
	closed  chan struct{}
	once    sync.Once
	dropped atomic.Uint64
}

func newTCPConn(conn net.Conn) *tcpConn {
	return &tcpConn{conn: conn, out: make(chan []byte, tcpQueue), closed: make(chan struct{})}
}

// enqueue frames a copy of b for the writer.
func (t *tcpConn) enqueue(b []byte) {
	frame, _ := t.pool.Get().(*[]byte)
	if frame == nil {
		frame = new([]byte)
	}
	f := append(binary.BigEndian.AppendUint16((*frame)[:0], uint16(len(b))), b...)
	select {
	case t.out <- f:
	default:
		t.dropped.Add(1)
	}
}

func (t *tcpConn) close() {
	t.once.Do(func() {
		close(t.closed)
		_ = t.conn.Close() // only ends the two loops
	})
}

// write is the writer's loop: it joins what waits into one segment.
func (t *tcpConn) write() {
	defer t.close()
	buffered := bufio.NewWriterSize(t.conn, 64<<10)
	for {
		select {
		case f := <-t.out:
			if _, err := buffered.Write(f); err != nil {
				return
			}
			t.pool.Put(&f)
			if len(t.out) > 0 {
				continue
			}
			if buffered.Flush() != nil {
				return
			}
		case <-t.closed:
			return
		}
	}
}

// read is the reader's loop: every burst of frames that is there goes through handle. proved says whether an endpoint has
// shown that it belongs here.
func (t *tcpConn) read(handle func([]udp.Packet), proved func() bool) {
	defer t.close()
	in := bufio.NewReaderSize(t.conn, 64<<10)
	bufs := make([][maxPacket]byte, tcpBurst)
	var burst [tcpBurst]udp.Packet
	limit := time.Now().Add(tcpProof)
	for {
		if proved() {
			limit = time.Now().Add(tcpSilence)
		}
		if t.conn.SetReadDeadline(limit) != nil {
			return
		}
		n := 0
		for n < tcpBurst && (n == 0 || frameBuffered(in)) {
			size, err := readFrame(in, bufs[n][:])
			if err != nil {
				return
			}
			burst[n] = udp.Packet{Data: bufs[n][:size]}
			n++
		}
		handle(burst[:n])
	}
}

// frameBuffered reports whether a whole frame can be read without waiting.
func frameBuffered(in *bufio.Reader) bool {
	if in.Buffered() < 2 {
		return false
	}
	head, err := in.Peek(2)
	return err == nil && in.Buffered() >= 2+int(binary.BigEndian.Uint16(head))
}

func readFrame(in *bufio.Reader, b []byte) (int, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > len(b) {
		return 0, errFrame
	}
	return io.ReadFull(in, b[:n])
}
