package adapter

import "sync"

// How many messages wait for a socket that is slow or being made anew: two seconds of audio, and one picture. When there are
// more the oldest goes, so audio loses its beginning and video keeps the newest picture (contract 5.4; that two seconds are
// "short" is inferred).
const (
	audioBacklog = 100
	videoBacklog = 1
)

// message is a serialised Packet.
type message struct {
	wire    []byte
	payload int // bytes of the Packet's payload
}

// backlog holds the messages of egress between the goroutine that makes them and the one that sends them.
type backlog struct {
	max   int
	ready chan struct{} // one slot: something was put in

	mu    sync.Mutex
	queue []message // oldest first
}

func newBacklog(limit int) *backlog { return &backlog{max: limit, ready: make(chan struct{}, 1)} }

// put never waits. It reports whether an older message had to go.
func (b *backlog) put(m message) (dropped bool) {
	b.mu.Lock()
	if dropped = len(b.queue) >= b.max; dropped {
		b.queue[0] = message{}
		b.queue = b.queue[1:]
	}
	b.queue = append(b.queue, m)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return dropped
}

// take removes the oldest message; false for none.
func (b *backlog) take() (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return message{}, false
	}
	m := b.queue[0]
	b.queue[0] = message{}
	b.queue = b.queue[1:]
	return m, true
}
