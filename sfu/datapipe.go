package sfu

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pion/transport/v5/deadline"
)

// pipeQueue is how many packets wait for SCTP's reader: those of an endpoint that begins before its answer has arrived, and
// those of a burst. A full queue loses packets, as a network would.
const pipeQueue = 256

// dataPipe is the net.Conn under an SCTP association. It ends in whichever DTLS connection the Peer has at the moment; what is
// written while there is none is lost.
type dataPipe struct {
	send    func([]byte) // to the endpoint
	packets chan []byte
	closed  chan struct{}
	once    sync.Once
	reading *deadline.Deadline
}

func newDataPipe(send func([]byte)) *dataPipe {
	return &dataPipe{send: send, packets: make(chan []byte, pipeQueue), closed: make(chan struct{}), reading: deadline.New()}
}

// sendData sends one packet of SCTP over the DTLS connection of the moment.
func (p *Peer) sendData(b []byte) {
	if a := p.current.Load(); a != nil {
		_, _ = a.conn.Write(b) // an error means that this connection is ending: lost, and sent again over the next one
	}
}

// receiveData hands one packet of the endpoint to SCTP. The slice is copied.
func (p *Peer) receiveData(b []byte) {
	pipe := p.pipe.Load()
	if pipe == nil {
		return
	}
	select {
	case pipe.packets <- append([]byte(nil), b...):
	default:
	}
}

func (c *dataPipe) Read(b []byte) (int, error) {
	select {
	case packet := <-c.packets:
		return copy(b, packet), nil
	case <-c.reading.Done():
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed // not io.EOF, which SCTP's streams return when the endpoint resets them
	}
}

func (c *dataPipe) Write(b []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, io.ErrClosedPipe
	default:
	}
	c.send(b)
	return len(b), nil
}

func (c *dataPipe) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *dataPipe) LocalAddr() net.Addr                { return pipeAddr{} }
func (c *dataPipe) RemoteAddr() net.Addr               { return pipeAddr{} }
func (c *dataPipe) SetDeadline(t time.Time) error      { c.reading.Set(t); return nil }
func (c *dataPipe) SetReadDeadline(t time.Time) error  { c.reading.Set(t); return nil }
func (c *dataPipe) SetWriteDeadline(_ time.Time) error { return nil }
