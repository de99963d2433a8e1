package clock

import (
	"context"
	"errors"
	"testing"
	"time"
)

func fired(t Timer) bool {
	select {
	case <-t.C():
		return true
	default:
		return false
	}
}

func TestVirtualTimersFireWhenDue(t *testing.T) {
	start := time.Unix(1000, 0)
	v := NewVirtual(start)
	late, early, stopped := v.NewTimer(3*time.Second), v.NewTimer(time.Second), v.NewTimer(time.Second)
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop does not tell the first call from the second")
	}
	v.Advance(time.Second - 1)
	if fired(early) {
		t.Error("fired before its time")
	}
	v.Advance(1)
	if !fired(early) || fired(late) || fired(stopped) {
		t.Error("at one second exactly the early timer should fire")
	}
	if early.Stop() {
		t.Error("a fired timer was stopped")
	}
	v.Advance(time.Hour)
	if !fired(late) || fired(early) {
		t.Error("at the end exactly the late timer should fire")
	}
	if want := start.Add(time.Hour + time.Second); !v.Now().Equal(want) {
		t.Errorf("it is %v, want %v", v.Now(), want)
	}
}

func TestTimersCarryTheirOwnTime(t *testing.T) {
	v := NewVirtual(time.Unix(0, 0))
	second, first := v.NewTimer(2*time.Second), v.NewTimer(time.Second)
	v.Advance(time.Minute)
	if at := <-first.C(); !at.Equal(time.Unix(1, 0)) {
		t.Errorf("first fired at %v", at)
	}
	if at := <-second.C(); !at.Equal(time.Unix(2, 0)) {
		t.Errorf("second fired at %v", at)
	}
}

func TestTimerOfNoTimeFiresAtOnce(t *testing.T) {
	v := NewVirtual(time.Unix(0, 0))
	for _, d := range []time.Duration{0, -time.Second} {
		if !fired(v.NewTimer(d)) {
			t.Errorf("a timer of %v did not fire", d)
		}
	}
}

func TestAwaitTimers(t *testing.T) {
	v := NewVirtual(time.Unix(0, 0))
	done := make(chan error, 1)
	go func() { done <- v.AwaitTimers(t.Context(), 2) }()
	v.NewTimer(time.Second)
	v.NewTimer(time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.AwaitTimers(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a third timer ended with %v", err)
	}
}

func TestRealClock(t *testing.T) {
	before := time.Now()
	timer := Real().NewTimer(time.Millisecond)
	<-timer.C()
	if passed := Real().Now().Sub(before); passed < time.Millisecond {
		t.Errorf("the timer fired after %v", passed)
	}
	if Real().NewTimer(time.Hour).Stop() != true {
		t.Error("a waiting timer could not be stopped")
	}
}
