package clock

import "time"

// Clock tells the time and makes timers.
type Clock interface {
	Now() time.Time
	// At is what the clock showed, or would have shown, at a moment of real time: rules compare it with when packets came.
	At(moment time.Time) time.Time
	// NewTimer makes a timer that fires once, d from now; at once where d is not positive. Its owner calls Stop in any case.
	NewTimer(d time.Duration) Timer
	// NewTimerAt is NewTimer for a moment on the clock. It is right though the clock is moved while it is made, as a timer for what
	// was left until then by an earlier Now is not.
	NewTimerAt(at time.Time) Timer
}

// Timer fires once on C.
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether it kept the timer from firing. It may be called any number of times.
	Stop() bool
}

// Real is the machine's clock.
func Real() Clock { return realClock{} }

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) At(moment time.Time) time.Time { return moment }

func (realClock) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

func (realClock) NewTimerAt(at time.Time) Timer { return realTimer{time.NewTimer(time.Until(at))} }

type realTimer struct{ timer *time.Timer }

func (t realTimer) C() <-chan time.Time { return t.timer.C }

func (t realTimer) Stop() bool { return t.timer.Stop() }
