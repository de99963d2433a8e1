package clock

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Virtual is a clock that stands still until Advance moves it. It is safe for concurrent use.
type Virtual struct {
	mu      sync.Mutex
	now     time.Time
	history history
	timers  []*virtualTimer // waiting ones, earliest first
	changed chan struct{}   // closed and replaced when a timer is added
}

var _ Clock = (*Virtual)(nil)

// NewVirtual makes a clock that shows start.
func NewVirtual(start time.Time) *Virtual {
	return &Virtual{now: start, history: history{{real: time.Now(), shown: start}}, changed: make(chan struct{})}
}

// Now is the time to which the clock was last moved.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// At is what the clock showed at a moment of real time.
func (v *Virtual) At(moment time.Time) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.history.at(moment)
}

// NewTimer makes a timer that Advance fires.
func (v *Virtual) NewTimer(d time.Duration) Timer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newTimerLocked(v.now.Add(d))
}

// NewTimerAt makes a timer that Advance fires.
func (v *Virtual) NewTimerAt(at time.Time) Timer {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newTimerLocked(at)
}

// newTimerLocked needs v.mu.
func (v *Virtual) newTimerLocked(at time.Time) Timer {
	t := &virtualTimer{clock: v, at: at, c: make(chan time.Time, 1)}
	if !at.After(v.now) {
		t.c <- v.now
		return t
	}
	later := func(other *virtualTimer, at time.Time) int {
		if other.at.After(at) {
			return 1
		}
		return -1
	}
	i, _ := slices.BinarySearchFunc(v.timers, t.at, later)
	v.timers = slices.Insert(v.timers, i, t)
	close(v.changed)
	v.changed = make(chan struct{})
	return t
}

// Advance moves the clock forward by d and fires, in order of their times, the timers that are due by then. It does not
// wait for whoever listens to them; a timer made in reaction counts from the new time.
func (v *Virtual) Advance(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = v.now.Add(d)
	v.history = v.history.then(segment{real: time.Now(), shown: v.now})
	for len(v.timers) > 0 && !v.timers[0].at.After(v.now) {
		v.timers[0].c <- v.timers[0].at
		v.timers = v.timers[1:]
	}
}

// AwaitTimers waits until at least n timers have been made and neither fired nor been stopped. A test calls it so
// that Advance cannot come before the wait that it is meant to end.
func (v *Virtual) AwaitTimers(ctx context.Context, n int) error {
	for {
		v.mu.Lock()
		waiting, changed := len(v.timers), v.changed
		v.mu.Unlock()
		if waiting >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

type virtualTimer struct {
	clock *Virtual
	at    time.Time
	c     chan time.Time
}

func (t *virtualTimer) C() <-chan time.Time { return t.c }

func (t *virtualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	return true
}
