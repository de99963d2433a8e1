package emulator

import (
	"log/slog"
	"os"
	"runtime"
	"testing"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// soakWarmUp is after how many sessions the books are opened: pools, caches and maps have their size then.
const soakWarmUp = 100

// TestSessionsLeaveNothingBehind is BenchmarkSessions with few of them.
func TestSessionsLeaveNothingBehind(t *testing.T) { soak(t, 16, 8) }

// BenchmarkSessions makes, connects, uses and closes b.N sessions, and fails where they leave goroutines or descriptors behind,
// or more than a tenth of the heap that the first hundred needed. make soak runs it with a thousand.
func BenchmarkSessions(b *testing.B) { soak(b, max(b.N, soakWarmUp), soakWarmUp) }

// books are what a session must not leave behind.
type books struct {
	goroutines  int
	descriptors int // 0 where the system does not tell
	heap        uint64
}

// openBooks counts, after a collection.
func openBooks() books {
	runtime.GC()
	runtime.GC() // what the first one finalized
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	open, _ := os.ReadDir("/proc/self/fd")
	return books{runtime.NumGoroutine(), len(open), mem.HeapAlloc}
}

func soak(tb testing.TB, sessions, warmUp int) {
	r := newRig(tb, func(c *Config) { c.Logger = slog.New(slog.DiscardHandler) })
	use := func(sessions int) {
		for done := 0; done < sessions; done += 2 {
			r.useSessions()
		}
		// What never connects expires.
		r.zone("POST", "clock", `{"advance":"61s"}`, 200, nil)
		var state struct {
			Apps []struct{ Sessions []object }
		}
		r.zone("GET", "state", "", 200, &state)
		for _, app := range state.Apps {
			if n := len(app.Sessions); n != 0 {
				tb.Errorf("%d sessions are left", n)
			}
		}
		r.client.CloseIdleConnections()
	}
	use(warmUp)
	first := openBooks()
	use(sessions - warmUp)
	last := openBooks()
	mustWaitFor(tb, "goroutines and descriptors to be as many as before", func() bool {
		last = openBooks() // the server's side of the connections ends by itself
		return last.goroutines <= first.goroutines && last.descriptors <= first.descriptors
	})
	tb.Logf("after %d sessions %+v, after %d %+v", warmUp, first, sessions, last)
	if sessions >= 2*soakWarmUp && last.heap > first.heap+first.heap/10 {
		tb.Errorf("the heap has grown from %d to %d bytes", first.heap, last.heap)
	}
}

// useSessions uses two sessions: one publishes and one pulls from it, media flows, a track is closed by force, and their
// endpoints close. Beside them, one has an offer of the SFU that is never answered, and one is never touched.
func (r *rig) useSessions() {
	must := func(err error) {
		if err != nil {
			r.t.Helper()
			r.t.Fatal(err)
		}
	}
	publisher, publishing, _ := r.publishOn()
	viewer, err := sfutest.NewPeer(sfutest.Config{})
	must(err)
	defer func() { must(viewer.Close()) }()
	pull := object{"tracks": []object{{"location": "remote", "sessionId": publisher, "trackName": "mic"}}}
	var pulled struct {
		SessionDescription struct{ SDP string }
	}
	id := r.newSession()
	r.post("POST", id+"/tracks/new", pull, &pulled)
	answer, err := viewer.Answer(r.t.Context(), pulled.SessionDescription.SDP)
	must(err)
	r.post("PUT", id+"/renegotiate", object{"sessionDescription": object{"type": "answer", "sdp": answer}}, nil)
	_, err = viewer.Subscriber("0").WaitMore(r.t.Context(), 5)
	must(err)
	r.post("POST", r.newSession()+"/tracks/new", pull, nil)
	r.newSession()
	if a := r.post("PUT", id+"/tracks/close", object{"force": true, "tracks": []object{{"mid": "0"}}}, nil); a.status != 200 {
		r.t.Fatalf("close: %d %s", a.status, a.body)
	}
	must(publishing.Close())
	must(viewer.Close())
	for _, id := range []string{publisher, id} {
		mustWaitFor(r.t, "the end of a session whose endpoint closed", func() bool {
			return r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK).status == 410
		})
	}
}
