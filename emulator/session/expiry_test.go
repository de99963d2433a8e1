package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func (b *bench) wantGone(id string) {
	b.Helper()
	_, err := b.SessionState(b.Context(), b.app, id)
	wantProblem(b, err, wire.SessionGone)
}

func (b *bench) wantAlive(id string) {
	b.Helper()
	if _, err := b.SessionState(b.Context(), b.app, id); err != nil {
		b.Error(err)
	}
}

func TestSessionThatNeverConnectsExpires(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		untouched, tried := b.newSession(), b.negotiating()
		b.pass(59 * time.Second)
		b.wantAlive(untouched)
		b.wantAlive(tried)
		b.pass(time.Second)
		b.wantGone(untouched)
		b.wantGone(tried)
		if state, _ := b.engine.peers[0].State(); state != sfu.StateClosed {
			t.Error("the peer of an expired session is open")
		}
	})
}

func TestConnectedSessionOutlivesTheFirstMinute(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		b.pass(10 * time.Minute)
		b.wantAlive(id)
	})
}

func TestLostSessionHasAWindowToComeBack(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		lose := func(s sfu.State) {
			b.peer(id).set(s)
			synctest.Wait()
		}
		lose(sfu.StateLost)
		b.pass(29 * time.Second)
		b.wantAlive(id)
		lose(sfu.StateConnected)
		b.pass(29 * time.Second)
		lose(sfu.StateLost)
		b.pass(29 * time.Second)
		b.wantStatuses(id, "local 0 cam active")
		lose(sfu.StateNegotiating) // a new start of the transport is not yet a connection
		b.pass(time.Second)
		b.wantGone(id)
		if b.find(b.app, id, "cam") != nil {
			t.Error("the track of a gone session is still found")
		}
	})
}

func TestCloseNotifyEndsTheSessionAtOnce(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.publisher("cam")
		b.peer(publisher).set(sfu.StateClosed)
		synctest.Wait()
		b.wantGone(publisher)
		_, err := b.push(t.Context(), publisher, "0 video sendonly", local("0", "again"))
		wantProblem(t, err, wire.SessionGone)
		out, err := b.pull(t.Context(), b.newSession(), remote(publisher, "cam"))
		if err != nil || out.Tracks[0].ErrorCode != "not_found_track_error" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestSilentTrackIsCollected(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, puller := b.publisher("cam", "mic"), b.newSession()
		if _, err := b.pull(t.Context(), puller, remote(id, "cam")); err != nil {
			t.Fatal(err)
		}
		b.peer(puller).set(sfu.StateConnected)
		b.pass(time.Second) // the sweeper sees the first packets
		b.pass(29 * time.Second)
		b.peer(id).pubs["1"].send()
		b.pass(time.Second)
		b.wantStatuses(id, "local 0 cam inactive", "local 1 mic active")
		if b.find(b.app, id, "cam") != nil || b.find(b.app, id, "mic") == nil {
			t.Error("the wrong track is found")
		}
		// Republishing on the same mid takes the same publication up again.
		if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam")); err != nil {
			t.Fatal(err)
		}
		b.wantStatuses(id, "local 0 cam inactive", "local 1 mic active", "local 0 cam active")
		plans := b.peer(id).plans
		if got := plans[len(plans)-1].Publish; len(got) != 0 {
			t.Errorf("the plan publishes %q", got)
		}
		b.wantStatuses(puller, "remote 0 cam active") // it gets packets again as soon as there are any
	})
}

func TestTrackIsNotSilentWhileItsSessionIsNotConnected(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		b.pass(40 * time.Second)
		b.wantStatuses(id, "local 0 first active")
		b.peer(id).set(sfu.StateConnected)
		synctest.Wait()
		b.pass(29 * time.Second)
		b.wantStatuses(id, "local 0 first active")
		b.pass(time.Second)
		b.wantStatuses(id, "local 0 first inactive")
	})
}

func TestCloseOfTheRegistryLetsWaitingRequestsGo(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		transport := b.beginPush(t.Context(), id, "1", "second")
		turn := b.beginPull(t.Context(), id, remote(id, "first"))
		media := b.beginPull(t.Context(), b.newSession(), remote(id, "first"))
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, r := range []*pending[*wire.TracksResponse]{transport, turn} {
			if !r.over() {
				t.Fatal("still held")
			}
			wantProblem(t, r.err, wire.SessionGone)
		}
		if !media.over() {
			t.Fatal("the pull is still held")
		}
		if state, _ := b.engine.peers[0].State(); state != sfu.StateClosed {
			t.Error("a peer is open after Close")
		}
		_, err := b.NewSession(t.Context(), b.app, nil)
		wantProblem(t, err, wire.Internal)
	})
}

func TestCloseOfTheRegistryWaitsForItsGoroutines(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		release := make(chan struct{})
		b.peer(id).holdClose = release
		b.pass(time.Minute) // the sweeper is at work on the expired session now
		closing := begin(func() (bool, error) { return true, b.Close() })
		if closing.over() {
			t.Error("Close returned before its sweeper")
		}
		close(release)
		<-closing.done
	})
}
