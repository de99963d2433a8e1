package clock

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Mode is how an Adjustable moves by itself.
type Mode string

// The modes of an Adjustable.
const (
	ModeReal   Mode = "real"   // as fast as real time
	ModeFrozen Mode = "frozen" // not at all
)

// Adjustable is a clock that runs with real time, stands still, and can be moved forward at any moment. It starts with the
// real time and runs. It is safe for concurrent use.
type Adjustable struct {
	advancing chan struct{} // one slot: calls of Advance and SetMode come one at a time

	mu      sync.Mutex
	mode    Mode
	history history
	timers  []*adjustableTimer // waiting ones, earliest first, equal ones in the order in which they were made
}

var _ Clock = (*Adjustable)(nil)

// NewAdjustable makes a clock in ModeReal.
func NewAdjustable() *Adjustable {
	now := time.Now()
	return &Adjustable{
		advancing: make(chan struct{}, 1),
		mode:      ModeReal,
		history:   history{{real: now, shown: now, runs: true}},
	}
}

// Now is what the clock shows.
func (a *Adjustable) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nowLocked()
}

func (a *Adjustable) nowLocked() time.Time { return a.history.at(time.Now()) }

// At is what the clock showed at a moment of real time.
func (a *Adjustable) At(moment time.Time) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history.at(moment)
}

// Mode is how the clock moves by itself at present.
func (a *Adjustable) Mode() Mode {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mode
}

// SetMode lets the clock run or stops it; it goes on from what it shows. It waits for an Advance in progress.
func (a *Adjustable) SetMode(m Mode) {
	a.advancing <- struct{}{}
	defer func() { <-a.advancing }()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mode = m
	a.moveLocked(a.nowLocked(), m == ModeReal)
}

// moveLocked makes the clock show now, and run from there or not.
func (a *Adjustable) moveLocked(now time.Time, runs bool) {
	a.history = a.history.then(segment{real: time.Now(), shown: now, runs: runs})
	for _, t := range a.timers {
		t.armLocked(now, runs)
	}
}

// NewTimer makes a timer that real time fires, or Advance. Whoever takes the time from C calls Stop when what was due has
// been done, and makes the next timer before that: Advance waits for it.
func (a *Adjustable) NewTimer(d time.Duration) Timer {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.nowLocked()
	return a.newTimerLocked(now, now.Add(d))
}

// NewTimerAt makes a timer as NewTimer does.
func (a *Adjustable) NewTimerAt(at time.Time) Timer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newTimerLocked(a.nowLocked(), at)
}

// newTimerLocked needs a.mu.
func (a *Adjustable) newTimerLocked(now, at time.Time) Timer {
	t := &adjustableTimer{clock: a, at: at, c: make(chan time.Time, 1), stopped: make(chan struct{})}
	if !at.After(now) {
		t.c <- t.at
		return t
	}
	i, _ := slices.BinarySearchFunc(a.timers, t, func(other, t *adjustableTimer) int {
		return cmp.Or(other.at.Compare(t.at), -1)
	})
	a.timers = slices.Insert(a.timers, i, t)
	t.armLocked(now, a.history[len(a.history)-1].runs)
	return t
}

// Advance moves the clock forward by d. Timers that are due by then fire one after another in the order of their times; while
// one fires, the clock shows its time, and it stays there until the timer's owner has called Stop. Advance returns when the
// last of them has, or with the context's error where the clock has got to then.
func (a *Adjustable) Advance(ctx context.Context, d time.Duration) error {
	select {
	case a.advancing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.advancing }()
	a.mu.Lock()
	now := a.nowLocked()
	a.moveLocked(now, false)
	a.mu.Unlock()

	target := now.Add(d)
	var err error
	for err == nil {
		t := a.next(target)
		if t == nil {
			break
		}
		select {
		case <-t.stopped:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		target = a.nowLocked()
	}
	a.moveLocked(target, a.mode == ModeReal)
	return err
}

// next fires the earliest timer that is due by target; nil for none.
func (a *Adjustable) next(target time.Time) *adjustableTimer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.timers) == 0 || a.timers[0].at.After(target) {
		return nil
	}
	t := a.timers[0]
	if step := &a.history[len(a.history)-1]; t.at.After(step.shown) {
		step.shown = t.at
	}
	t.fireLocked()
	return t
}

type adjustableTimer struct {
	clock   *Adjustable
	at      time.Time
	c       chan time.Time
	stopped chan struct{} // closed by the first Stop

	// guarded by clock.mu
	alarm *time.Timer // while the clock runs
	done  bool        // stopped is closed
}

func (t *adjustableTimer) C() <-chan time.Time { return t.c }

// armLocked needs clock.mu. The timer is one of those that wait.
func (t *adjustableTimer) armLocked(now time.Time, runs bool) {
	if t.alarm != nil {
		t.alarm.Stop()
		t.alarm = nil
	}
	if runs {
		t.alarm = time.AfterFunc(t.at.Sub(now), t.ring)
	}
}

// ring is the alarm's call. One that comes late, when the clock has been stopped or set, is not meant any more.
func (t *adjustableTimer) ring() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	running := t.clock.history[len(t.clock.history)-1].runs
	if t.alarm == nil || !running {
		return
	}
	if now := t.clock.nowLocked(); now.Before(t.at) {
		t.armLocked(now, true)
		return
	}
	t.fireLocked()
}

// fireLocked needs clock.mu. Only a timer that waits fires.
func (t *adjustableTimer) fireLocked() {
	if t.leaveLocked() {
		t.c <- t.at
	}
}

// leaveLocked needs clock.mu. It reports whether the timer was waiting.
func (t *adjustableTimer) leaveLocked() bool {
	if t.alarm != nil {
		t.alarm.Stop()
		t.alarm = nil
	}
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	return true
}

func (t *adjustableTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	waiting := t.leaveLocked()
	if !t.done {
		t.done = true
		close(t.stopped)
	}
	return waiting
}
