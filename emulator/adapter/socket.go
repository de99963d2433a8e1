package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// maxMessage is the largest message that ingest takes, serialised (contract 5.3, 6). A larger one ends the socket.
	maxMessage = 32 << 10
	// closeGrace is how long an endpoint may take to answer a close frame. Close as a whole has to fit into the second in
	// which the emulator stops.
	closeGrace = 300 * time.Millisecond
)

// socket is one connection to an endpoint. One goroutine sends, one receives; close may be called by anyone, once.
type socket struct {
	conn *websocket.Conn
	made net.Conn // what it runs over
}

func newSocket(conn *websocket.Conn, made net.Conn) *socket {
	conn.SetReadLimit(maxMessage)
	return &socket{conn, made}
}

// send writes one binary message. It does not return before the message is with the kernel, or ctx is done, which ends the
// connection.
func (s *socket) send(ctx context.Context, b []byte) error {
	return s.conn.Write(ctx, websocket.MessageBinary, b) //nolint:wrapcheck // described by whoever ends the connection
}

// receive returns the next binary message. Text is ignored (contract 5.3), pings are answered.
func (s *socket) receive(ctx context.Context) ([]byte, error) {
	for {
		kind, b, err := s.conn.Read(ctx)
		if err != nil {
			return nil, err //nolint:wrapcheck // as above
		}
		if kind == websocket.MessageBinary {
			return b, nil
		}
	}
}

// drain reads what nobody wants, of any size, until the connection ends: pings and closes are answered meanwhile.
func (s *socket) drain(ctx context.Context) error {
	s.conn.SetReadLimit(-1)
	for {
		_, r, err := s.conn.Reader(ctx)
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err //nolint:wrapcheck // as above
		}
	}
}

// close sends a close frame and waits a moment for the answer; an endpoint that has not read the frame by then is cut off.
func (s *socket) close(code websocket.StatusCode, reason string) {
	var handshake sync.WaitGroup
	ended := make(chan struct{})
	handshake.Go(func() {
		defer close(ended)
		_ = s.conn.Close(code, reason) // fails if the endpoint is gone
	})
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		_ = s.made.Close() // conn has no way to cut its own Close short
	}
	handshake.Wait()
}

// cut ends a socket of which nothing more is wanted.
func (s *socket) cut() {
	_ = s.made.Close()
	_ = s.conn.CloseNow() // fails if it is closed already, as it is now
}

// whyEnded puts the end of a connection into words.
func whyEnded(err error) error {
	var closed websocket.CloseError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &closed):
		return fmt.Errorf("the endpoint closed the socket with code %d %q", closed.Code, closed.Reason)
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("the endpoint sent a message of more than %d bytes", maxMessage)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke without a close frame")
	}
	return withoutURL(err)
}
