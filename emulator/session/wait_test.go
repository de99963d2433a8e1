package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// negotiating is a session whose first exchange is done and whose transport is not up.
func (b *bench) negotiating() string {
	b.Helper()
	id := b.newSession()
	if _, err := b.push(b.Context(), id, "0 video sendonly", local("0", "first")); err != nil {
		b.Fatal(err)
	}
	b.peer(id).set(sfu.StateNegotiating)
	return id
}

func (b *bench) beginPush(ctx context.Context, id, mid, name string) *pending[*wire.TracksResponse] {
	return begin(func() (*wire.TracksResponse, error) {
		return b.push(ctx, id, "0 video sendonly;"+mid+" video sendonly", local(mid, name))
	})
}

func (b *bench) beginPull(ctx context.Context, id string, tracks ...wire.TrackObject) *pending[*wire.TracksResponse] {
	return begin(func() (*wire.TracksResponse, error) { return b.pull(ctx, id, tracks...) })
}

func TestRequestIsHeldUntilTheTransportConnects(t *testing.T) {
	for _, from := range []sfu.State{sfu.StateNegotiating, sfu.StateLost} {
		inBench(t, func(t *testing.T, b *bench) {
			id := b.negotiating()
			b.peer(id).set(from)
			held := b.beginPush(t.Context(), id, "1", "second")
			b.pass(5*time.Second - 1)
			if held.over() {
				t.Fatalf("answered early: %v, %v", held.out, held.err)
			}
			b.peer(id).set(sfu.StateConnected)
			synctest.Wait()
			if !held.over() || held.err != nil {
				t.Errorf("over %v, error %v", held.over(), held.err)
			}
		})
	}
}

func TestRequestIsRefusedAfterFiveSecondsWithoutTransport(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		requests := []*pending[*wire.TracksResponse]{b.beginPush(t.Context(), id, "1", "second")}
		b.pass(5 * time.Second)
		requests = append(requests, b.beginPull(t.Context(), id, remote("s", "a")))
		b.pass(5 * time.Second)
		for _, r := range requests {
			if !r.over() {
				t.Fatal("still held")
			}
			wantProblem(t, r.err, wire.SessionNotReady)
		}
		closing := begin(func() (*wire.CloseTracksResponse, error) { return b.closeTracks(id, "", "0") })
		b.pass(5 * time.Second)
		wantProblem(t, closing.err, wire.SessionNotReady)
	})
}

func TestTransportThatClosesEndsTheWaitWithGone(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		held := b.beginPush(t.Context(), id, "1", "second")
		b.peer(id).set(sfu.StateClosed)
		synctest.Wait()
		if !held.over() {
			t.Fatal("still held")
		}
		wantProblem(t, held.err, wire.SessionGone)
	})
}

func TestWaitsEndWithTheClient(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.negotiating()
		silent := b.newSession()
		if _, err := b.push(t.Context(), silent, "0 video sendonly", local("0", "cam")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		transport := b.beginPush(ctx, id, "1", "second")
		turn := b.beginPull(ctx, id, remote(publisher, "cam"))
		media := b.beginPull(ctx, b.newSession(), remote(silent, "cam"))
		for _, r := range []*pending[*wire.TracksResponse]{transport, turn, media} {
			if r.over() {
				t.Fatalf("did not wait: %v, %v", r.out, r.err)
			}
		}
		cancel()
		synctest.Wait()
		for _, r := range []*pending[*wire.TracksResponse]{transport, turn, media} {
			if !r.over() || !errors.Is(r.err, context.Canceled) {
				t.Errorf("over %v, error %v", r.over(), r.err)
			}
		}
		b.peer(id).set(sfu.StateConnected)
		if _, err := b.push(t.Context(), id, "0 video sendonly;1 video sendonly", local("1", "second")); err != nil {
			t.Errorf("the turn was not given back: %v", err)
		}
	})
}

func TestPullWaitsForFirstMedia(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.negotiating()
		held := b.beginPull(t.Context(), b.newSession(), remote(publisher, "first"))
		b.pass(8200*time.Millisecond - 1)
		if held.over() {
			t.Fatalf("answered early: %+v, %v", held.out, held.err)
		}
		b.peer(publisher).pubs["0"].send()
		synctest.Wait()
		if !held.over() || held.err != nil || held.out.Tracks[0].Mid != "0" {
			t.Errorf("over %v: %+v, %v", held.over(), held.out, held.err)
		}
	})
}

func TestPullWaitEndsWithThePublisher(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.negotiating()
		held := b.beginPull(t.Context(), b.newSession(), remote(publisher, "first"))
		b.peer(publisher).set(sfu.StateClosed)
		synctest.Wait()
		if !held.over() || held.err != nil || held.out.Tracks[0].ErrorCode != "not_found_track_error" {
			t.Errorf("over %v: %+v, %v", held.over(), held.out, held.err)
		}
	})
}

func TestPullWaitEndsWithItsOwnSession(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.negotiating(), b.newSession()
		held := b.beginPull(t.Context(), id, remote(publisher, "first"))
		b.drop(b.session(b.app, id), "the test says so")
		synctest.Wait()
		if !held.over() {
			t.Fatal("still held")
		}
		wantProblem(t, held.err, wire.SessionGone)
	})
}

func TestPullsOfABatchWaitUnderOneDeadline(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		good, silent, closing := b.publisher("cam"), b.negotiating(), b.negotiating()
		id := b.newSession()
		held := b.beginPull(t.Context(), id,
			remote(silent, "first"), remote(good, "cam"), remote(closing, "first"), remote(silent, "first"))
		b.peer(closing).pubs["0"].close()
		b.pass(8200 * time.Millisecond)
		if !held.over() || held.err != nil {
			t.Fatalf("over %v, error %v", held.over(), held.err)
		}
		var got []string
		for _, item := range held.out.Tracks {
			got = append(got, item.Mid+item.ErrorCode)
		}
		if want := []string{"empty_track_error", "0", "not_found_track_error", "empty_track_error"}; !slices.Equal(got, want) {
			t.Errorf("items are %q, want %q", got, want)
		}
	})
}

func TestRequestsOfASessionRunInOrderOfArrival(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		var held []*pending[*wire.TracksResponse]
		for _, mid := range []string{"1", "2", "3", "4", "5"} {
			held = append(held, b.beginPush(t.Context(), id, mid, "track"+mid))
		}
		b.peer(id).set(sfu.StateConnected)
		synctest.Wait()
		for _, r := range held {
			if !r.over() || r.err != nil {
				t.Fatalf("over %v, error %v", r.over(), r.err)
			}
		}
		var order []string
		for _, plan := range b.peer(id).plans {
			order = append(order, plan.Publish...)
		}
		if want := []string{"0", "1", "2", "3", "4", "5"}; !slices.Equal(order, want) {
			t.Errorf("the exchanges ran in the order %q", order)
		}
	})
}

func TestReadingDoesNotWaitForTheRequestInProgress(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		held := b.beginPush(t.Context(), id, "1", "second")
		b.wantStatuses(id, "local 0 first active")
		if held.over() {
			t.Error("the push did not wait")
		}
		b.pass(5 * time.Second)
	})
}

func TestSessionsThatPullEachOtherDoNotBlock(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		one, two := b.negotiating(), b.negotiating()
		b.peer(one).set(sfu.StateConnected)
		b.peer(two).set(sfu.StateConnected)
		a, c := b.beginPull(t.Context(), one, remote(two, "first")), b.beginPull(t.Context(), two, remote(one, "first"))
		b.peer(one).pubs["0"].send()
		b.peer(two).pubs["0"].send()
		synctest.Wait()
		if !a.over() || !c.over() || a.err != nil || c.err != nil {
			t.Errorf("over %v and %v, errors %v and %v", a.over(), c.over(), a.err, c.err)
		}
	})
}
