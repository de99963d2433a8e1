package sfu

import (
	"sync"

	"github.com/callsemu/callsemu/sfu/internal/codec"
)

// cacheSize is how many packets are kept for retransmission: a second and a half of HD video.
const cacheSize = 512

// cached is one kept packet.
type cached struct {
	filled  bool
	marker  bool
	pt      uint8
	seq     uint16
	ts      uint32
	picture codec.Picture
	payload []byte
}

// cache keeps the newest packets of one incoming stream for all of its subscribers: the payload is the same for each, only
// the header differs. It is filled by the publication's reader and read by whoever brings a subscriber's NACK.
type cache struct {
	mu   sync.Mutex
	ring *[cacheSize]cached // nil once the stream has ended
}

func newCache() *cache { return &cache{ring: &[cacheSize]cached{}} }

// drop frees what is kept, which subscribers' numbering may hold on to for long.
func (c *cache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ring = nil
}

// put copies a burst into the ring. Slots keep their memory, so that a stream in flow allocates nothing.
func (c *cache) put(burst []packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range burst {
		if c.ring == nil {
			return
		}
		p := &burst[i]
		s := &c.ring[p.seq%cacheSize]
		s.filled, s.marker, s.pt, s.seq, s.ts, s.picture = true, p.marker, p.pt, p.seq, p.ts, p.picture
		s.payload = append(s.payload[:0], p.payload...)
	}
}

// read calls use with the packet of that number, which is valid during the call only; false when it has gone.
func (c *cache) read(seq uint16, use func(*cached)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ring == nil {
		return false
	}
	s := &c.ring[seq%cacheSize]
	if !s.filled || s.seq != seq {
		return false
	}
	use(s)
	return true
}
