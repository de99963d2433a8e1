package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

// plannedFaults does the next fault to the next call of an operation.
type plannedFaults struct {
	mu    sync.Mutex
	next  map[string]Fault
	calls []Call
}

func (p *plannedFaults) Decide(c Call) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	f := p.next[c.Operation]
	delete(p.next, c.Operation)
	return f
}

func (p *plannedFaults) plan(operation string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[operation] = f
}

func inFaultyBench(t *testing.T, script func(t *testing.T, b *bench, p *plannedFaults)) {
	p := &plannedFaults{next: map[string]Fault{}}
	inBenchOf(t, Config{Faults: p}, func(t *testing.T, b *bench) { script(t, b, p) })
}

func onPurpose(p wire.Problem) *wire.Error { return wire.Refuse(p, "on purpose") }

func TestFaultBeforeTheEffectLeavesNothingBehind(t *testing.T) {
	inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
		p.plan(OpNewSession, Fault{Error: onPurpose(wire.BackendFailed)})
		_, err := b.NewSession(t.Context(), b.app, nil)
		wantProblem(t, err, wire.BackendFailed)
		if len(b.allSessions()) != 0 {
			t.Error("there is a session")
		}
		id := b.newSession()
		p.plan(OpNewTracks, Fault{Error: onPurpose(wire.RetryLater)})
		_, err = b.push(t.Context(), id, "0 video sendonly", local("0", "cam"))
		wantProblem(t, err, wire.RetryLater)
		b.wantStatuses(id)
		p.plan(OpGetSession, Fault{Error: onPurpose(wire.SessionGone)})
		b.wantGone(id)
		b.wantAlive(id)
		want := Call{Operation: OpNewTracks, App: "app", Session: id, Items: 1}
		if !slices.Contains(p.calls, want) {
			t.Errorf("the calls were %+v", p.calls)
		}
	})
}

func TestFaultAfterTheEffect(t *testing.T) {
	inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
		p.plan(OpNewSession, Fault{After: true, Error: onPurpose(wire.BackendFailed)})
		_, err := b.NewSession(t.Context(), b.app, nil)
		wantProblem(t, err, wire.BackendFailed)
		if len(b.allSessions()) != 1 {
			t.Error("there is no session")
		}
		id := b.newSession()
		p.plan(OpNewTracks, Fault{After: true, Error: onPurpose(wire.Internal)})
		_, err = b.push(t.Context(), id, "0 video sendonly", local("0", "cam"))
		wantProblem(t, err, wire.Internal)
		b.wantStatuses(id, "local 0 cam active")
	})
}

func TestFaultsOfSingleItems(t *testing.T) {
	for _, after := range []bool{false, true} {
		inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
			fault := Fault{After: after, Items: map[int]*wire.Error{1: onPurpose(wire.TrackNotFound), 7: onPurpose(wire.Internal)}}
			status := map[bool]string{false: "inactive", true: "active"}[after]
			effect := func(list ...string) []string { // the second entry is there only if the fault came after the effect
				if !after {
					list = slices.Delete(list, 1, 2)
				}
				return list
			}
			id := b.newSession()
			p.plan(OpNewTracks, fault)
			pushed, err := b.push(t.Context(), id, "0 video sendonly;1 video sendonly", local("0", "cam"), local("1", "screen"))
			if err != nil {
				t.Fatal(err)
			}
			wantItems(t, pushed.Tracks, "0 cam", "not_found_track_error screen")
			b.wantStatuses(id, effect("local 0 cam active", "local 1 screen active")...)

			publisher, puller := b.publisher("cam", "screen"), b.newSession()
			p.plan(OpNewTracks, fault)
			pulled, err := b.pull(t.Context(), puller, remote(publisher, "cam"), remote(publisher, "screen"))
			if err != nil {
				t.Fatal(err)
			}
			wantItems(t, pulled.Tracks, "0 cam", "not_found_track_error screen")
			if pulled.Tracks[1].SessionID != publisher || len(pulled.Failed) != 1 {
				t.Errorf("%+v", pulled)
			}
			b.wantStatuses(puller, effect("remote 0 cam active", "remote 1 screen active")...)

			p.plan(OpUpdateTracks, fault)
			b.connect(puller)
			updated := b.update(puller, wire.UpdateTrack{Mid: "0"}, wire.UpdateTrack{Mid: "0", SessionID: publisher, TrackName: "screen"})
			if updated.Tracks[1].ErrorCode == "" || updated.Tracks[1].Mid != "0" || len(updated.Failed) != 1 {
				t.Errorf("%+v", updated)
			}
			p.plan(OpCloseTracks, fault)
			closed, err := b.closeTracks(publisher, "", "0", "1")
			if err != nil || closed.Tracks[0].ErrorCode != "" || closed.Tracks[1].ErrorCode == "" || closed.Tracks[1].Mid != "1" {
				t.Errorf("%+v, %v", closed, err)
			}
			status = map[string]string{"inactive": "active", "active": "inactive"}[status]
			b.wantStatuses(publisher, "local 0 cam inactive", "local 1 screen "+status)
		})
	}
}

func TestItemThatFailedByItselfKeepsItsOwnError(t *testing.T) {
	inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
		p.plan(OpCloseTracks, Fault{After: true, Items: map[int]*wire.Error{0: onPurpose(wire.Internal)}})
		out, err := b.closeTracks(b.newSession(), "", "0")
		if err != nil || out.Tracks[0].ErrorCode != "close_track_error" || len(out.Failed) != 1 {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestDelayedCalls(t *testing.T) {
	inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
		id := b.newSession()
		push := func(ctx context.Context, mid string) *pending[*wire.TracksResponse] {
			return begin(func() (*wire.TracksResponse, error) { return b.push(ctx, id, mid+" video sendonly", local(mid, mid)) })
		}
		p.plan(OpNewTracks, Fault{Delay: 3 * time.Second})
		before := push(t.Context(), "0")
		b.wantStatuses(id)
		b.pass(3 * time.Second)
		if !before.over() || before.err != nil {
			t.Fatalf("over %v, %v", before.over(), before.err)
		}
		b.connect(id)
		p.plan(OpNewTracks, Fault{Delay: 3 * time.Second, After: true})
		after := push(t.Context(), "1")
		b.wantStatuses(id, "local 0 0 active", "local 1 1 active")
		if after.over() {
			t.Error("not held up")
		}
		b.jump(3 * time.Second)
		if !after.over() || after.err != nil {
			t.Errorf("over %v, %v", after.over(), after.err)
		}
		p.plan(OpNewTracks, Fault{Delay: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		left := push(ctx, "2")
		cancel()
		synctest.Wait()
		if !left.over() || !errors.Is(left.err, context.Canceled) {
			t.Errorf("over %v, %v", left.over(), left.err)
		}
	})
}

func TestOperationsOfOthersFailAndWaitAlike(t *testing.T) {
	inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
		var done atomic.Int64
		begun := func(ctx context.Context) *pending[int] {
			return begin(func() (int, error) {
				err := b.Faulty(ctx, Call{Operation: "createApp", Account: "a"}, func() error { done.Add(1); return nil })
				return int(done.Load()), err
			})
		}
		for _, c := range []struct {
			fault        Fault
			before, then int64 // how often it was done until the delay is over, and behind it
		}{
			{Fault{}, 1, 1},
			{Fault{Delay: time.Second}, 1, 2},
			{Fault{Delay: time.Second, After: true}, 3, 3},
			{Fault{Delay: time.Second, Error: onPurpose(wire.Internal)}, 3, 3},
			{Fault{Delay: time.Second, Error: onPurpose(wire.Internal), After: true}, 4, 4},
		} {
			p.plan("createApp", c.fault)
			x := begun(t.Context())
			if synctest.Wait(); done.Load() != c.before || x.over() != (c.fault.Delay == 0) {
				t.Errorf("%+v: done %d times, over %t", c.fault, done.Load(), x.over())
			}
			b.pass(time.Second)
			if done.Load() != c.then || !x.over() || (x.err != nil) != (c.fault.Error != nil) {
				t.Errorf("%+v: then done %d times, over %t, %v", c.fault, done.Load(), x.over(), x.err)
			}
		}
		p.plan("createApp", Fault{Delay: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		x := begun(ctx)
		cancel()
		if synctest.Wait(); !x.over() || !errors.Is(x.err, context.Canceled) || done.Load() != 4 {
			t.Errorf("over %t, %v, done %d times", x.over(), x.err, done.Load())
		}
		if call := (Call{Operation: "createApp", Account: "a"}); p.calls[0] != call {
			t.Errorf("asked about %+v", p.calls[0])
		}
	})
}

func TestPublisherThatStaysSilent(t *testing.T) {
	inFaultyBench(t, func(t *testing.T, b *bench, p *plannedFaults) {
		id := b.newSession()
		p.plan(OpNewTracks, Fault{Silences: []Silence{{For: 800 * time.Millisecond}, {For: time.Hour, Track: "another"}}})
		if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam")); err != nil {
			t.Fatal(err)
		}
		b.connect(id)
		pub := b.peer(id).pubs["0"]
		pub.send()
		held := b.beginPull(t.Context(), b.newSession(), remote(id, "cam"))
		b.pass(800 * time.Millisecond)
		if held.over() {
			t.Error("a packet of a silenced publisher counts")
		}
		pub.send()
		synctest.Wait()
		if !held.over() || held.err != nil || held.out.Tracks[0].Mid != "0" {
			t.Errorf("over %v, %+v, %v", held.over(), held.out, held.err)
		}
	})
}

func TestLivePublisherThatFallsSilent(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, other := b.publisher("cam", "mic"), b.publisher("cam")
		packets := func(id, mid string) uint64 {
			pub := b.peer(id).pubs[mid]
			pub.send()
			return pub.Info().Packets
		}
		ended := make(chan struct{})
		if n := b.Silence("another app", "", Silence{For: time.Hour}) + b.Silence("", id, Silence{For: time.Hour, Track: "x"}); n != 0 {
			t.Errorf("%d tracks are silent", n)
		}
		if n := b.Silence("", id, Silence{For: 2 * time.Second, Track: "cam"}); n != 1 {
			t.Errorf("%d tracks are silent", n)
		}
		if n := b.Silence("app", "", Silence{For: time.Hour, Track: "cam", Ended: ended}); n != 2 {
			t.Errorf("%d tracks are silent", n)
		}
		if packets(id, "0") != 1 || packets(id, "1") != 2 || packets(other, "0") != 1 {
			t.Error("the wrong tracks are silent")
		}
		b.jump(3 * time.Second)
		if packets(id, "0") != 1 {
			t.Error("the end of the shorter silence ended the longer")
		}
		close(ended)
		synctest.Wait()
		if packets(id, "0") != 2 || packets(other, "0") != 2 {
			t.Error("the silence has not ended")
		}
		b.Silence("", "", Silence{For: time.Hour})
		b.pass(30 * time.Second)
		b.wantStatuses(id, "local 0 cam inactive", "local 1 mic inactive")
		if n := b.Silence("", "", Silence{For: time.Hour}); n != 0 {
			t.Errorf("%d collected tracks are silent anew", n)
		}
	})
}
