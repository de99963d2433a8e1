package session

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/emulator/clock"
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

func TestSettleReturnsWhenTheSweeperHasLooked(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		synctest.Wait()
		looks := 0
		b.peer(id).onInfo = func() { looks++ }
		b.Settle()
		if looks == 0 {
			t.Error("it had not")
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		b.Settle() // nobody looks any more
	})
}

// A sweep looks at the time, then at the sessions, and only then makes its timer.
func TestADeadlineIsKeptThoughTheClockIsMovedInTheMiddleOfASweep(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		synctest.Wait()
		var once sync.Once
		b.peer(id).onInfo = func() {
			once.Do(func() {
				if err := b.clock.Advance(t.Context(), 30*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		b.nudge()
		b.pass(29 * time.Second)
		b.wantAlive(id)
		b.pass(time.Second)
		b.wantGone(id)
	})
}

func TestConnectedSessionOutlivesTheFirstMinute(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		b.pass(10 * time.Minute)
		b.wantAlive(id)
	})
}

func TestExplanationOfAGoneSessionSaysHowItEnded(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		explain := func(id string) string {
			_, err := b.SessionState(t.Context(), b.app, id)
			var refusal *wire.Error
			if !errors.As(err, &refusal) {
				t.Fatalf("got %v", err)
			}
			return refusal.Explain
		}
		never, closed := b.newSession(), b.publisher("cam")
		b.pass(57 * time.Second)
		b.peer(closed).set(sfu.StateClosed)
		b.pass(5 * time.Second)
		for id, want := range map[string]string{
			never: "session " + never + " ended 2s ago: never connected; create", closed: "ended 5s ago: the endpoint closed its connection; create",
			"none": `app app never had a session "none"`,
		} {
			if got := explain(id); !strings.HasPrefix(got, "SES-2: ") || !strings.Contains(got, want) {
				t.Errorf("explained as %q, want %s", got, want)
			}
		}
		for i := range maxEnded {
			b.mu.Lock()
			b.endings.add(strconv.Itoa(i), ended{})
			b.mu.Unlock()
		}
		if got := explain(never); !strings.Contains(got, "or it ended long ago") || len(b.endings.byID) != maxEnded || len(b.endings.order) != maxEnded {
			t.Errorf("explained as %q; %d are remembered", got, len(b.endings.byID))
		}
	})
}

func TestLostSessionHasAWindowToComeBack(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		p := b.peer(id)
		p.hush()
		p.hear()
		b.pass(8 * time.Second)
		p.set(sfu.StateLost) // the SFU notices late; the window counts from the silence
		b.pass(21 * time.Second)
		b.wantAlive(id)
		p.set(sfu.StateConnected)
		b.pass(8 * time.Second)
		p.set(sfu.StateLost)
		b.pass(21 * time.Second)
		b.wantStatuses(id, "local 0 cam active")
		p.set(sfu.StateNegotiating) // a new start of the transport is not yet a connection
		b.pass(time.Second - 1)
		b.wantAlive(id)
		b.pass(1)
		b.wantGone(id)
		if b.find(b.app, id, "cam") != nil {
			t.Error("the track of a gone session is still found")
		}
	})
}

func TestJumpEndsWhatIsLostAndSparesWhatIsConnected(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		fresh, idle, lost, gone := b.publisher("cam"), b.publisher("cam"), b.publisher("cam"), b.publisher("cam")
		never := b.newSession()
		defer b.peer(fresh).pubs["0"].sendOn()()
		defer every(100*time.Millisecond, b.peer(fresh).hear)()
		b.peer(lost).hush()
		b.peer(gone).hush()
		b.pass(9 * time.Second)
		b.peer(gone).set(sfu.StateLost)
		b.pass(2400 * time.Millisecond) // idle's latest check is older than a second now
		if quiet := time.Since(b.peer(idle).LastSeen()); quiet <= freshFor {
			t.Fatalf("the idle endpoint was heard %v ago", quiet)
		}
		b.jump(31 * time.Second)
		b.wantStatuses(fresh, "local 0 cam active")
		b.wantStatuses(idle, "local 0 cam inactive") // connected, but really silent
		b.wantGone(lost)
		b.wantGone(gone)
		b.wantAlive(never)
		b.jump(19 * time.Second)
		b.wantGone(never)
		b.wantAlive(fresh)
		b.wantAlive(idle)
	})
}

// quickly lets the clock jump and reports how much real time that took.
func (b *bench) quickly(d time.Duration) time.Duration {
	b.Helper()
	began := time.Now()
	b.jump(d)
	return time.Since(began)
}

func TestQuietEndpointIsAskedWhenTheClockJumps(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		p := b.peer(id)
		p.hush()
		p.hear()
		p.mu.Lock()
		p.answers = true // its own next check would come within 6 s (RFC 7675)
		p.mu.Unlock()
		b.pass(5900 * time.Millisecond)
		if took := b.quickly(31 * time.Second); took > 10*time.Millisecond {
			t.Errorf("the jump took %v of real time", took)
		}
		b.wantStatuses(id, "local 0 cam inactive")
		if p.asks != 1 {
			t.Errorf("the endpoint was asked %d times", p.asks)
		}
	})
}

func TestLostEndpointsShareTheTimeToAnswer(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		var ids []string
		for range 20 {
			ids = append(ids, b.publisher("cam"))
			b.peer(ids[len(ids)-1]).hush()
			b.pass(50 * time.Millisecond)
		}
		b.pass(1500 * time.Millisecond)
		if took := b.quickly(32 * time.Second); took > time.Second+50*time.Millisecond {
			t.Errorf("the jump took %v of real time", took)
		}
		for _, id := range ids {
			b.wantGone(id)
		}
	})
}

// A jump of 61 s right after connected ended the session as never connected, since the watch had not told it yet.
func TestJumpRightAfterConnectedEndsNothing(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		synctest.Wait()
		p := b.peer(id)
		p.mu.Lock()
		p.state, p.up, p.seen, p.answers = sfu.StateConnected, time.Now(), time.Now(), true // and nobody has noticed
		p.mu.Unlock()
		b.jump(61 * time.Second)
		b.wantStatuses(id, "local 0 first active")
	})
}

func TestJumpWithinTheHandshakeWaitsForItsEnd(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		comes, never := b.negotiating(), b.negotiating()
		b.pass(10 * time.Second)
		b.peer(comes).hear()
		b.peer(never).hear()
		b.pass(300 * time.Millisecond)
		time.AfterFunc(400*time.Millisecond, func() { b.peer(comes).set(sfu.StateConnected) })
		if took := b.quickly(61 * time.Second); took > time.Second+50*time.Millisecond {
			t.Errorf("the jump took %v of real time", took)
		}
		b.wantStatuses(comes, "local 0 first active")
		b.wantGone(never)
	})
}

// A jump right after connecting collected a track whose first packet had not come.
func TestFirstPacketHasTimeToComeOverAJump(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		b.connect(id)
		b.jump(31 * time.Second)
		b.wantStatuses(id, "local 0 first active")
		b.pass(2 * time.Second)
		b.jump(31 * time.Second)
		b.wantStatuses(id, "local 0 first inactive")

		if _, err := b.push(t.Context(), id, "0 video sendonly;1 video sendonly", local("1", "later")); err != nil {
			t.Fatal(err)
		}
		b.jump(31 * time.Second)
		b.wantStatuses(id, "local 0 first inactive", "local 1 later active")
		b.pass(2 * time.Second)
		b.jump(31 * time.Second)
		b.wantStatuses(id, "local 0 first inactive", "local 1 later inactive")
	})
}

func TestSlowTrackIsWaitedForOverAJump(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		slow, stopped := b.publisher("cam"), b.publisher("cam")
		stop := every(1300*time.Millisecond, b.peer(slow).pubs["0"].send)
		b.pass(1200 * time.Millisecond)
		b.quickly(31 * time.Second)
		b.wantStatuses(slow, "local 0 cam active")
		b.wantStatuses(stopped, "local 0 cam inactive")
		stop()
		b.pass(2 * time.Second)
		if took := b.quickly(31 * time.Second); took > 10*time.Millisecond {
			t.Errorf("the jump took %v of real time, though the track is silent for long", took)
		}
		b.wantStatuses(slow, "local 0 cam inactive")
	})
}

func TestJumpFiresWaitsAndExpiriesInTheirOrder(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.negotiating()
		held := b.beginPush(t.Context(), id, "1", "second")
		b.jump(61 * time.Second)
		if !held.over() {
			t.Fatal("still held")
		}
		wantProblem(t, held.err, wire.SessionNotReady) // after 5 s, before the session was gone at 60 s
		b.wantGone(id)
	})
}

func TestTrackIsSilentFromItsLastPacketOnNotFromTheJump(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		b.pass(5 * time.Second)
		b.jump(24 * time.Second)
		b.wantStatuses(id, "local 0 cam active")
		b.jump(time.Second)
		b.wantStatuses(id, "local 0 cam inactive")
	})
}

func TestTrackHeardInTheLastSecondOutlivesAJump(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		defer every(10*time.Millisecond, b.peer(id).hear)()
		stop := b.peer(id).pubs["0"].sendOn()
		b.pass(10*time.Second + 5*time.Millisecond) // between two packets
		for range 3 {
			b.jump(time.Hour)
			b.wantStatuses(id, "local 0 cam active")
		}
		stop()
		b.pass(29 * time.Second) // the silence began before the last jump by less than a second
		b.wantStatuses(id, "local 0 cam active")
		b.pass(time.Second)
		b.wantStatuses(id, "local 0 cam inactive")
	})
}

func TestSilenceDoesNotGrowWhileTheClockIsFrozen(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		b.pass(time.Second)
		b.clock.SetMode(clock.ModeFrozen)
		b.pass(time.Minute)
		b.peer(id).pubs["0"].send()
		b.pass(time.Minute)
		b.clock.SetMode(clock.ModeReal)
		b.pass(30*time.Second - 1)
		b.wantStatuses(id, "local 0 cam active")
		b.pass(1)
		b.wantStatuses(id, "local 0 cam inactive")
	})
}

func TestRuleChangedAtRunTimeHolds(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		b.pass(5 * time.Second)
		if err := b.SetRule("silent-track", "4s"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantStatuses(id, "local 0 cam inactive")
		if err := b.SetRule("no-such-rule", "4s"); err == nil || b.Rules().SilentTrack != 4*time.Second {
			t.Errorf("%v, %v", err, b.Rules())
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
		b.connect(puller)
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
		b.connect(id)
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
		p := b.peer(id)
		p.mu.Lock()
		p.holdClose = release
		p.mu.Unlock()
		b.pass(time.Minute) // the sweeper is at work on the expired session now
		closing := begin(func() (bool, error) { return true, b.Close() })
		if closing.over() {
			t.Error("Close returned before its sweeper")
		}
		close(release)
		<-closing.done
	})
}
