package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeEngine is package sfu without media. Its SDP is a list of sections "mid kind direction" separated by ";".
type fakeEngine struct {
	t     *testing.T
	mu    sync.Mutex
	peers []*fakePeer
}

func (e *fakeEngine) NewPeer() (peer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &fakePeer{t: e.t, changed: make(chan struct{}), done: make(chan struct{}), pubs: map[string]*fakePub{}}
	e.peers = append(e.peers, p)
	return p, nil
}

func (e *fakeEngine) Parse(sdp string) (description, error) {
	switch sdp {
	case "":
		return nil, fmt.Errorf("line 1: %w", sfu.ErrSDPSyntax)
	case "no line end":
		return nil, sfu.ErrSDPLineEnd
	case "no ufrag":
		return nil, sfu.ErrSDPNoUfrag
	}
	var d fakeDescription
	for section := range strings.SplitSeq(sdp, ";") {
		f := strings.Fields(section)
		d = append(d, sfu.Media{Mid: f[0], Kind: sfu.Kind(f[1]), Sends: f[2] == "sendonly" || f[2] == "sendrecv",
			Receives: f[2] == "recvonly" || f[2] == "sendrecv", Rejected: f[2] == "rejected"})
	}
	return d, nil
}

type fakeDescription []sfu.Media

func (d fakeDescription) Media() []sfu.Media { return d }

type fakePub struct {
	ready, done chan struct{}
	packets     atomic.Uint64
}

func newFakePub() *fakePub { return &fakePub{ready: make(chan struct{}), done: make(chan struct{})} }

func (p *fakePub) Ready() <-chan struct{} { return p.ready }
func (p *fakePub) Done() <-chan struct{}  { return p.done }
func (p *fakePub) Packets() uint64        { return p.packets.Load() }

func (p *fakePub) send() {
	if p.packets.Add(1) == 1 {
		close(p.ready)
	}
}

type fakePeer struct {
	t *testing.T

	mu      sync.Mutex
	state   sfu.State
	changed chan struct{}
	done    chan struct{}
	pending bool
	nextMid int
	pubs    map[string]*fakePub
	plans   []sfu.AnswerPlan
	stopped []string // by CloseMids
	fail    error    // what the next exchange returns
	busy    atomic.Bool

	holdClose chan struct{} // Close waits for it, where it is set
}

// alone checks that exchanges do not overlap.
func (p *fakePeer) alone() func() {
	if p.busy.Swap(true) {
		p.t.Error("two exchanges at once on one peer")
	}
	return func() { p.busy.Store(false) }
}

func (p *fakePeer) set(s sfu.State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == sfu.StateClosed {
		return
	}
	p.state = s
	close(p.changed)
	p.changed = make(chan struct{})
	if s == sfu.StateClosed {
		close(p.done)
		for _, pub := range p.pubs {
			pub.close()
		}
	}
}

func (p *fakePub) close() {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
}

func (p *fakePeer) State() (sfu.State, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.changed
}

func (p *fakePeer) Done() <-chan struct{} { return p.done }

func (p *fakePeer) Close() error {
	if p.holdClose != nil {
		<-p.holdClose
	}
	p.set(sfu.StateClosed)
	return nil
}

func (p *fakePeer) OfferPending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending
}

func (p *fakePeer) takeFail() error {
	err := p.fail
	p.fail = nil
	return err
}

func (p *fakePeer) Answer(offer description, plan sfu.AnswerPlan) (answered, error) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.takeFail(); err != nil {
		return answered{}, err
	}
	p.plans = append(p.plans, plan)
	a := answered{sdp: "answer", publications: map[string]publication{}}
	for _, media := range offer.Media() {
		if n, err := strconv.Atoi(media.Mid); err == nil {
			p.nextMid = max(p.nextMid, n+1)
		}
	}
	for _, mid := range plan.Publish {
		if strings.HasPrefix(mid, "x") {
			continue // a section without a codec that the SFU knows
		}
		p.pubs[mid] = newFakePub()
		a.publications[mid] = p.pubs[mid]
	}
	p.stopLocked(plan.Close)
	return a, nil
}

func (p *fakePeer) stopLocked(mids []string) {
	for _, mid := range mids {
		if pub := p.pubs[mid]; pub != nil {
			pub.close()
		}
	}
}

func (p *fakePeer) Offer(pulls []publication) (offered, error) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.takeFail(); err != nil {
		return offered{}, err
	}
	p.pending = true
	o := offered{sdp: "offer"}
	for range pulls {
		o.mids = append(o.mids, strconv.Itoa(p.nextMid))
		p.nextMid++
	}
	return o, nil
}

func (p *fakePeer) AcceptAnswer(description) error {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.takeFail(); err != nil {
		return err
	}
	p.pending = false
	return nil
}

func (p *fakePeer) CloseMids(mids ...string) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = append(p.stopped, mids...)
	p.stopLocked(mids)
}

// bench is a Registry over the fake engine and a virtual clock, inside a synctest bubble: synctest.Wait returns when
// every request is blocked or done, and the bubble fails the test if a goroutine is left behind.
type bench struct {
	*testing.T
	*Registry
	clock  *clock.Virtual
	engine *fakeEngine
	app    *App
}

func inBench(t *testing.T, script func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := clock.NewVirtual(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		e := &fakeEngine{t: t}
		r := newRegistry(Config{Clock: v}, e)
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		app, err := r.Authorize("app", "token")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		script(t, &bench{T: t, Registry: r, clock: v, engine: e, app: app})
	})
}

// pass moves the clock and waits until everything has come to rest again.
func (b *bench) pass(d time.Duration) {
	b.clock.Advance(d)
	synctest.Wait()
}

func (b *bench) newSession() string {
	b.Helper()
	out, err := b.NewSession(b.Context(), b.app, nil)
	if err != nil {
		b.Fatal(err)
	}
	return out.SessionID
}

// peer is the fake under a session.
func (b *bench) peer(id string) *fakePeer {
	b.Helper()
	p, isFake := b.session(b.app, id).currentPeer().(*fakePeer)
	if !isFake {
		b.Fatalf("session %s has no peer", id)
	}
	return p
}

func offerOf(sdp string) *wire.SessionDescription {
	return &wire.SessionDescription{Type: wire.TypeOffer, SDP: sdp}
}

func local(mid, name string) wire.TrackObject {
	return wire.TrackObject{Location: wire.LocationLocal, Mid: mid, TrackName: name}
}

func remote(sessionID, name string) wire.TrackObject {
	return wire.TrackObject{Location: wire.LocationRemote, SessionID: sessionID, TrackName: name}
}

func (b *bench) push(ctx context.Context, id, sdp string, tracks ...wire.TrackObject) (*wire.TracksResponse, error) {
	return b.AddTracks(ctx, b.app, id, &wire.TracksRequest{SessionDescription: offerOf(sdp), Tracks: tracks})
}

func (b *bench) pull(ctx context.Context, id string, tracks ...wire.TrackObject) (*wire.TracksResponse, error) {
	return b.AddTracks(ctx, b.app, id, &wire.TracksRequest{Tracks: tracks})
}

func (b *bench) answer(id string) error {
	_, err := b.Renegotiate(b.Context(), b.app, id, &wire.RenegotiateRequest{
		SessionDescription: &wire.SessionDescription{Type: wire.TypeAnswer, SDP: "0 video recvonly"}})
	return err
}

// closeTracks is forced where sdp is "".
func (b *bench) closeTracks(id, sdp string, mids ...string) (*wire.CloseTracksResponse, error) {
	in := &wire.CloseTracksRequest{Force: sdp == ""}
	if !in.Force {
		in.SessionDescription = offerOf(sdp)
	}
	for _, mid := range mids {
		in.Tracks = append(in.Tracks, wire.CloseTrack{Mid: mid})
	}
	return b.CloseTracks(b.Context(), b.app, id, in)
}

// publisher is a connected session with sending tracks of these names on mids 0, 1, ...
func (b *bench) publisher(names ...string) string {
	b.Helper()
	id := b.newSession()
	var sections []string
	var tracks []wire.TrackObject
	for i, name := range names {
		sections = append(sections, fmt.Sprintf("%d video sendonly", i))
		tracks = append(tracks, local(strconv.Itoa(i), name))
	}
	if _, err := b.push(b.Context(), id, strings.Join(sections, ";"), tracks...); err != nil {
		b.Fatal(err)
	}
	p := b.peer(id)
	p.set(sfu.StateConnected)
	for _, pub := range p.pubs {
		pub.send()
	}
	synctest.Wait()
	return id
}

// statuses lists GET as "location mid name status".
func (b *bench) statuses(id string) []string {
	b.Helper()
	state, err := b.SessionState(b.Context(), b.app, id)
	if err != nil {
		b.Fatal(err)
	}
	var list []string
	for _, t := range state.Tracks {
		list = append(list, strings.Join([]string{t.Location, t.Mid, t.TrackName, t.Status}, " "))
	}
	return list
}

func (b *bench) wantStatuses(id string, want ...string) {
	b.Helper()
	if got := b.statuses(id); !slices.Equal(got, want) {
		b.Errorf("GET lists %q, want %q", got, want)
	}
}

// pending is a request in progress.
type pending[T any] struct {
	done chan struct{}
	out  T
	err  error
}

func begin[T any](request func() (T, error)) *pending[T] {
	p := &pending[T]{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.out, p.err = request()
	}()
	synctest.Wait()
	return p
}

func (p *pending[T]) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func wantProblem(t testing.TB, err error, want wire.Problem) {
	t.Helper()
	var refusal *wire.Error
	if !errors.As(err, &refusal) || refusal.Problem != want {
		t.Errorf("error is %v, want the row %v", err, wire.Refuse(want, ""))
		return
	}
	if refusal.Explain == "" {
		t.Errorf("the refusal %v explains nothing for the log", err)
	}
}
