package loglimit

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log without times and levels.
func lines(out *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestWhatWasNotLoggedIsCountedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limit Limiter
		var out bytes.Buffer
		log := lines(&out)
		say := func(kind string, times int) string {
			out.Reset()
			for n := range times {
				limit.Warn(log, kind, "odd", "kind", kind, "n", n)
			}
			return out.String()
		}
		var first strings.Builder
		for n := range burst {
			fmt.Fprintf(&first, "msg=odd kind=a n=%d\n", n)
		}
		if got := say("a", burst+90); got != first.String() {
			t.Errorf("a flood is logged as\n%s", got)
		}
		if got, want := say("b", 1), "msg=odd kind=b n=0\n"; got != want {
			t.Errorf("another kind is logged as %q, want %q", got, want)
		}
		if got := say("a", 5); got != "" {
			t.Errorf("without a pause %q is logged", got)
		}
		<-time.After(time.Second / perSecond)
		if got, want := say("a", 3), "msg=odd kind=a n=0 not_logged=95\n"; got != want {
			t.Errorf("after a pause %q is logged, want %q", got, want)
		}
		<-time.After(time.Hour)
		if got := say("a", burst+1); strings.Count(got, "\n") != burst || strings.Count(got, "not_logged=2\n") != 1 {
			t.Errorf("after an hour this is logged:\n%s", got)
		}
		<-time.After(time.Hour)
		if got, want := say("a", 1), "msg=odd kind=a n=0 not_logged=1\n"; got != want {
			t.Errorf("after another one %q is logged, want %q", got, want)
		}
		<-time.After(time.Hour)
		if got, want := say("a", 1), "msg=odd kind=a n=0\n"; got != want {
			t.Errorf("where nothing was left out, %q is logged, want %q", got, want)
		}
	})
}

func TestEveryCallerIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limit Limiter
		var out bytes.Buffer
		log := lines(&out)
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() { limit.Warn(log, "a", "odd") })
		}
		callers.Wait()
		<-time.After(time.Second)
		limit.Warn(log, "a", "odd")
		if want := strings.Repeat("msg=odd\n", burst) + "msg=odd not_logged=40\n"; out.String() != want {
			t.Errorf("logged\n%s", out.String())
		}
	})
}
