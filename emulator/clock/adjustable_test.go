package clock

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble gives the clock a real time that is the test's own.
func inBubble(t *testing.T, script func(t *testing.T, a *Adjustable)) {
	synctest.Test(t, func(t *testing.T) { script(t, NewAdjustable()) })
}

func realTimePasses(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestTimerForAMomentIsRightThoughTheClockWasMoved(t *testing.T) {
	inBubble(t, func(t *testing.T, a *Adjustable) {
		at := a.Now().Add(time.Minute)
		if err := a.Advance(t.Context(), 30*time.Second); err != nil {
			t.Fatal(err)
		}
		timer, late := a.NewTimerAt(at), a.NewTimerAt(at.Add(-time.Minute))
		defer timer.Stop()
		if !fired(late) {
			t.Error("a timer for a moment that is over did not fire at once")
		}
		realTimePasses(30*time.Second - 1)
		if fired(timer) {
			t.Error("fired before its time")
		}
		realTimePasses(1)
		if !fired(timer) {
			t.Error("the timer is late")
		}
	})
}

func TestAdjustableRunsWithRealTime(t *testing.T) {
	inBubble(t, func(t *testing.T, a *Adjustable) {
		start := a.Now()
		late, early, stopped := a.NewTimer(3*time.Second), a.NewTimer(time.Second), a.NewTimer(time.Second)
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop does not tell the first call from the second")
		}
		realTimePasses(time.Second - 1)
		if fired(early) {
			t.Error("fired before its time")
		}
		realTimePasses(1)
		if !fired(early) || fired(late) || fired(stopped) {
			t.Error("at one second exactly the early timer should fire")
		}
		if got := a.Now().Sub(start); got != time.Second {
			t.Errorf("%v have passed", got)
		}
		late.Stop()
	})
}

func TestFrozenClockStandsStillUntilItRunsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, a *Adjustable) {
		start := a.Now()
		timer := a.NewTimer(time.Second)
		a.SetMode(ModeFrozen)
		made := a.NewTimer(2 * time.Second)
		realTimePasses(time.Hour)
		if fired(timer) || fired(made) || !a.Now().Equal(start) || a.Mode() != ModeFrozen {
			t.Errorf("time passed while the clock was frozen: %v", a.Now().Sub(start))
		}
		a.SetMode(ModeReal)
		realTimePasses(time.Second)
		if !fired(timer) || fired(made) || a.Now().Sub(start) != time.Second {
			t.Errorf("after a second of running it shows %v", a.Now().Sub(start))
		}
		made.Stop()
	})
}

// owner stops each timer when it has noted what the clock shows, and may make another one before that.
func owner(a *Adjustable, seen *[]time.Duration, start time.Time, timer Timer, again time.Duration) {
	go func() {
		for timer != nil {
			<-timer.C()
			*seen = append(*seen, a.Now().Sub(start))
			next := Timer(nil)
			if again > 0 {
				next, again = a.NewTimer(again), 0
			}
			timer.Stop()
			timer = next
		}
	}()
}

func TestAdvanceFiresTimersInOrderEachAtItsOwnTime(t *testing.T) {
	for _, mode := range []Mode{ModeReal, ModeFrozen} {
		inBubble(t, func(t *testing.T, a *Adjustable) {
			a.SetMode(mode)
			start := a.Now()
			var seen []time.Duration
			owner(a, &seen, start, a.NewTimer(30*time.Second), 0)
			owner(a, &seen, start, a.NewTimer(5*time.Second), 20*time.Second) // makes one for second 25
			owner(a, &seen, start, a.NewTimer(8*time.Second), 0)
			after := a.NewTimer(32 * time.Second)
			if err := a.Advance(t.Context(), 31*time.Second); err != nil {
				t.Fatal(err)
			}
			want := []time.Duration{5 * time.Second, 8 * time.Second, 25 * time.Second, 30 * time.Second}
			if !slices.Equal(seen, want) || fired(after) {
				t.Errorf("%s: the owners saw %v, want %v", mode, seen, want)
			}
			if got := a.Now().Sub(start); got != 31*time.Second || a.Mode() != mode {
				t.Errorf("%s: it shows %v and is %s", mode, got, a.Mode())
			}
			if mode == ModeReal {
				realTimePasses(time.Second)
				if !fired(after) {
					t.Error("the clock does not run on")
				}
			}
			after.Stop()
		})
	}
}

func TestAdvanceWaitsForTheOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, a *Adjustable) {
		timer := a.NewTimer(time.Second)
		done := make(chan error, 1)
		go func() { done <- a.Advance(t.Context(), time.Minute) }()
		synctest.Wait()
		if !fired(timer) || len(done) != 0 {
			t.Fatal("Advance returned before what was due had been done")
		}
		timer.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAdvanceEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, a *Adjustable) {
		a.SetMode(ModeFrozen)
		start := a.Now()
		a.NewTimer(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Advance(ctx, time.Minute) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || a.Now().Sub(start) != time.Second {
			t.Errorf("ended with %v at %v", err, a.Now().Sub(start))
		}
		if err := a.Advance(t.Context(), time.Second); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

func TestAtTellsWhatTheClockShowed(t *testing.T) {
	inBubble(t, func(t *testing.T, a *Adjustable) {
		start := time.Now()
		realTimePasses(10 * time.Second)
		if err := a.Advance(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		realTimePasses(5 * time.Second)
		a.SetMode(ModeFrozen)
		realTimePasses(5 * time.Second)
		for passed, want := range map[time.Duration]time.Duration{
			-time.Hour: -time.Hour, 4 * time.Second: 4 * time.Second, 12 * time.Second: 72 * time.Second, 18 * time.Second: 75 * time.Second,
		} {
			if got := a.At(start.Add(passed)).Sub(start); got != want {
				t.Errorf("after %v it showed %v, want %v", passed, got, want)
			}
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	h := history{{real: time.Unix(0, 0), shown: time.Unix(0, 0), runs: true}}
	for i := range 10 * maxSegments {
		h = h.then(segment{real: time.Unix(int64(i), 0), shown: time.Unix(int64(2*i), 0)})
	}
	if len(h) > maxSegments {
		t.Errorf("%d segments are kept", len(h))
	}
	last := int64(10*maxSegments - 1)
	if got := h.at(time.Unix(last, 5)); !got.Equal(time.Unix(2*last, 0)) {
		t.Errorf("it showed %v", got)
	}
}

func TestVirtualTellsWhatItShowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Unix(1000, 0)
		v := NewVirtual(start)
		before := time.Now()
		realTimePasses(time.Second)
		v.Advance(time.Hour)
		if got := v.At(before); !got.Equal(start) {
			t.Errorf("before the jump it showed %v", got)
		}
		if got := v.At(time.Now()); !got.Equal(start.Add(time.Hour)) {
			t.Errorf("after the jump it showed %v", got)
		}
	})
}
