package sfu

import (
	"sync/atomic"
	"time"
)

const (
	// aliveFor is how long a layer counts as sent after its last packet. Browsers send a slide show at one frame a second.
	aliveFor = 2 * time.Second
	// meterWindow is the time over which a bit rate is taken.
	meterWindow = 500 * time.Millisecond
)

// meter measures one stream. The reader counts, the ticker takes the rate, everyone may look.
type meter struct {
	packets atomic.Uint64
	bytes   atomic.Uint64
	last    atomic.Int64  // unix nanoseconds of the newest packet
	rate    atomic.Uint64 // bits a second

	// Guarded by Peer.inbound.mu.
	since      time.Time
	sinceBytes uint64
}

func (m *meter) count(size int, now time.Time) {
	m.packets.Add(1)
	m.bytes.Add(uint64(size))
	m.last.Store(now.UnixNano())
}

// update takes the rate once a window; half of it is the rate before, so that a key frame does not look like a layer that
// has grown.
func (m *meter) update(now time.Time) {
	elapsed := now.Sub(m.since)
	if m.since.IsZero() {
		m.since, m.sinceBytes = now, m.bytes.Load()
		return
	}
	if elapsed < meterWindow {
		return
	}
	bytes := m.bytes.Load()
	rate := uint64(float64(bytes-m.sinceBytes) * 8 / elapsed.Seconds())
	if before := m.rate.Load(); before != 0 {
		rate = (rate + before) / 2
	}
	m.rate.Store(rate)
	m.since, m.sinceBytes = now, bytes
}

func (m *meter) alive(now time.Time) bool { return now.UnixNano()-m.last.Load() < int64(aliveFor) }
