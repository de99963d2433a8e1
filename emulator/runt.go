package emulator

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// readyWait is how long RunT waits for the self-test.
const readyWait = 10 * time.Second

// T is what RunT needs of *testing.T, *testing.B or *testing.F.
type T interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// RunT starts an emulator for a test and closes it at the test's end: free ports on loopback, no STUN server, one app
// of its own, the log in the test's log. It returns when media would flow; whatever is in the way ends the test. edit
// changes the configuration before the start, for example Media to MediaAuto for browsers other than Chromium.
func RunT(t T, edit ...func(*Config)) *Emulator {
	t.Helper()
	out := &testWriter{t: t}
	cfg := Config{
		Listen: "127.0.0.1:0",
		Media:  []string{loopback.String()},
		STUN:   STUNOff,
		Logger: slog.New(slog.NewTextHandler(out, nil)),
	}
	for _, f := range edit {
		f(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatalf("start callsemu: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Logf("close callsemu: %v", err)
		}
		out.end()
	})
	e.Start()
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	select {
	case <-e.Ready():
	case <-timer.C:
		t.Fatalf("callsemu was not ready within %v", readyWait)
	}
	return e
}

// testWriter passes log lines on as long as the test may log.
type testWriter struct {
	mu sync.Mutex // held while logging, so that end returns after the last line
	t  T          // nil after end
}

func (w *testWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", strings.TrimSuffix(string(line), "\n"))
	}
	return len(line), nil
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}
