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

	"github.com/callsemu/callsemu/emulator/account"
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

func (e *fakeEngine) NewPeer(string) (peer, error) { return e.newPeer(false) }

func (e *fakeEngine) NewFullPeer(string) (peer, error) { return e.newPeer(true) }

func (e *fakeEngine) newPeer(full bool) (peer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &fakePeer{t: e.t, full: full, changed: make(chan struct{}), done: make(chan struct{}), pubs: map[string]*fakePub{},
		subs: map[string]*fakeSub{}, codecs: []string{"VP8", "opus"}}
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
			Receives: f[2] == "recvonly" || f[2] == "sendrecv", Rejected: f[2] == "rejected", Unsupported: strings.HasPrefix(f[0], "x")})
	}
	return d, nil
}

type fakeDescription []sfu.Media

func (d fakeDescription) Media() []sfu.Media { return d }

type fakePub struct {
	mid  string
	kind sfu.Kind
	done chan struct{}

	mu      sync.Mutex
	rids    []string
	codec   string
	heard   chan struct{} // nil while nobody waits
	last    time.Time
	packets uint64
	silent  int
}

func newFakePub(mid string, kind sfu.Kind) *fakePub {
	return &fakePub{mid: mid, kind: kind, codec: "VP8", done: make(chan struct{})}
}

func (p *fakePub) Mid() string           { return p.mid }
func (p *fakePub) Kind() sfu.Kind        { return p.kind }
func (p *fakePub) Done() <-chan struct{} { return p.done }

func (p *fakePub) RIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rids
}

func (p *fakePub) Heard() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard == nil {
		p.heard = make(chan struct{})
	}
	return p.heard
}

func (p *fakePub) LastPacket() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *fakePub) Silence() (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.silent--
	}
}

func (p *fakePub) Info() sfu.PublicationInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sfu.PublicationInfo{Codec: p.codec, Packets: p.packets}
}

// send is one packet.
func (p *fakePub) send() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent > 0 {
		return
	}
	p.packets++
	p.last = time.Now()
	if p.heard != nil {
		close(p.heard)
		p.heard = nil
	}
}

// sendOn goes on sending, every 100 ms, until the test ends it.
func (p *fakePub) sendOn() (stop func()) {
	return every(100*time.Millisecond, p.send)
}

// every calls f until it is stopped.
func every(d time.Duration, f func()) (stop func()) {
	ticker, over := time.NewTicker(d), make(chan struct{})
	var joined sync.WaitGroup
	joined.Go(func() {
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				f()
			case <-over:
				return
			}
		}
	})
	f()
	return func() {
		close(over)
		joined.Wait()
	}
}

type fakeSub struct {
	mid        string
	forwarding atomic.Bool
	source     publication
	want       sfu.Selection
}

func (s *fakeSub) Mid() string                { return s.mid }
func (s *fakeSub) Forwarding() bool           { return s.forwarding.Load() }
func (s *fakeSub) Info() sfu.SubscriptionInfo { return sfu.SubscriptionInfo{Sending: s.Forwarding()} }

type fakePeer struct {
	t    *testing.T
	full bool

	onInfo func() // set while nothing else runs

	mu      sync.Mutex
	seen    time.Time
	up      time.Time // when state became connected
	asks    int
	answers bool // checks of ours
	fixed   uint64
	subs    map[string]*fakeSub // by mid; one without a source is a bidirectional section
	codecs  []string            // what PullInto accepts
	offers  []offerPlan
	state   sfu.State
	changed chan struct{}
	done    chan struct{}
	pending bool
	nextMid int
	pubs    map[string]*fakePub
	plans   []answerPlan
	stopped []string // by CloseMids
	fail    error    // what the next exchange returns
	busy    atomic.Bool

	data      fakeData
	hush      func()        // ends hearOn
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
	if s == sfu.StateConnected {
		p.seen, p.up = time.Now(), time.Now()
	}
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

// hear is one packet of the endpoint.
func (p *fakePeer) hear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = time.Now()
}

// hearOn goes on hearing the endpoint, as its connectivity checks do, until the test ends or hushes it.
func (p *fakePeer) hearOn(t *testing.T) {
	stop := every(2500*time.Millisecond, p.hear)
	p.mu.Lock()
	p.answers = true
	p.mu.Unlock()
	p.hush = sync.OnceFunc(func() {
		p.mu.Lock()
		p.answers = false
		p.mu.Unlock()
		stop()
	})
	t.Cleanup(p.hush)
}

// Ask implements peer: an endpoint that is heard on answers.
func (p *fakePeer) Ask() {
	p.mu.Lock()
	p.asks++
	answers := p.answers
	p.mu.Unlock()
	if answers {
		p.hear()
	}
}

func (p *fakePeer) LastSeen() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func (p *fakePeer) Info() sfu.PeerInfo {
	if p.onInfo != nil {
		p.onInfo()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return sfu.PeerInfo{State: p.state, Connected: p.up, LastSeen: p.seen, Estimate: p.fixed, Fixed: p.fixed != 0}
}

func (p *fakePeer) FixEstimate(bitrate uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fixed = bitrate
}

func (p *fakePeer) Publish(mid string) (publication, error) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(mid, "x") {
		return nil, sfu.ErrNoSection
	}
	p.pubs[mid] = newFakePub(mid, sfu.KindVideo)
	return p.pubs[mid], nil
}

func (p *fakePeer) PullInto(mid string, source publication, want sfu.Selection) (subscription, error) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	sub, pub := p.subs[mid], source.(*fakePub)
	switch {
	case sub == nil:
		return nil, sfu.ErrNoSection
	case sub.source != nil && sub.source.Kind() != pub.kind:
		return nil, sfu.ErrKindMismatch
	case !slices.Contains(p.codecs, pub.codec):
		return nil, sfu.ErrCodecMissing
	}
	sub.source, sub.want = source, want
	return sub, nil
}

func (p *fakePeer) Select(mid string, want sfu.Selection) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subs[mid] == nil {
		return sfu.ErrNoSection
	}
	p.subs[mid].want = want
	return nil
}

// subscribeLocked needs mu.
func (p *fakePeer) subscribeLocked(mid string, pull wantedPull) subscription {
	p.subs[mid] = &fakeSub{mid: mid, source: pull.source, want: pull.want}
	return p.subs[mid]
}

func (p *fakePeer) Close() error {
	p.mu.Lock()
	hold := p.holdClose
	p.mu.Unlock()
	if hold != nil {
		<-hold
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

func (p *fakePeer) Answer(offer description, plan answerPlan) (answered, error) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.takeFail(); err != nil {
		return answered{}, err
	}
	p.plans = append(p.plans, plan)
	a := answered{sdp: "answer", publications: map[string]publication{}}
	kinds := map[string]sfu.Kind{}
	for _, media := range offer.Media() {
		kinds[media.Mid] = media.Kind
		if media.Kind == sfu.KindData && !media.Rejected {
			p.data.section, p.data.agreed = true, true
		}
		if n, err := strconv.Atoi(media.Mid); err == nil {
			p.nextMid = max(p.nextMid, n+1)
		}
	}
	for _, mid := range plan.Publish {
		if strings.HasPrefix(mid, "x") {
			continue // a section without a codec that the SFU knows
		}
		p.pubs[mid] = newFakePub(mid, kinds[mid])
		a.publications[mid] = p.pubs[mid]
	}
	for _, mid := range plan.Bidirectional {
		p.subs[mid] = &fakeSub{mid: mid}
	}
	for _, pull := range plan.Pulls {
		a.pulls = append(a.pulls, p.subscribeLocked(pull.mid, pull))
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

func (p *fakePeer) Offer(plan offerPlan) (offered, error) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.takeFail(); err != nil {
		return offered{}, err
	}
	p.pending = true
	p.offers = append(p.offers, plan)
	p.data.section = p.data.section || plan.Data
	o := offered{sdp: "offer"}
	for _, pull := range plan.Pulls {
		o.pulls = append(o.pulls, p.subscribeLocked(strconv.Itoa(p.nextMid), pull))
		p.nextMid++
	}
	for _, push := range plan.Pushes {
		mid := strconv.Itoa(p.nextMid)
		p.nextMid++
		p.pubs[mid] = newFakePub(mid, push.Kind)
		if push.Bidirectional {
			p.subs[mid] = &fakeSub{mid: mid}
		}
		o.pushes = append(o.pushes, p.pubs[mid])
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
	p.data.agreed = p.data.section
	return nil
}

func (p *fakePeer) CloseMids(mids ...string) {
	defer p.alone()()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = append(p.stopped, mids...)
	p.stopLocked(mids)
}

// bench is a Registry over the fake engine inside a synctest bubble, whose real time is the test's own: synctest.Wait
// returns when every request is blocked or done, and the bubble fails the test if a goroutine is left behind.
type bench struct {
	*testing.T
	*Registry
	clock  *clock.Adjustable
	engine *fakeEngine
	app    *App
}

func inBench(t *testing.T, script func(t *testing.T, b *bench)) {
	t.Helper()
	inBenchOf(t, Config{}, script)
}

// inBenchOf makes the Registry of cfg; its app "app" has the secret "token" in every mode.
func inBenchOf(t *testing.T, cfg Config, script func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := clock.NewAdjustable()
		e := &fakeEngine{t: t}
		cfg.Clock, cfg.Accounts = v, account.New(account.Config{Apps: map[string]string{"app": "token"}})
		r := newRegistry(cfg, e)
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

// pass lets real time pass, and the clock with it, and waits until everything has come to rest again.
func (b *bench) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// jump moves the clock alone.
func (b *bench) jump(d time.Duration) {
	b.Helper()
	if err := b.clock.Advance(b.Context(), d); err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

// connect brings a session's transport up and keeps it so.
func (b *bench) connect(id string) {
	b.Helper()
	b.peer(id).set(sfu.StateConnected)
	b.peer(id).hearOn(b.T)
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
	p.hearOn(b.T)
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
	if _, fact, _ := strings.Cut(refusal.Explain, ": "); fact == "" {
		t.Errorf("the refusal %v explains nothing for the log", err)
	}
}
