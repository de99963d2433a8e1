package session

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// Adapters makes what carries media between a track and an endpoint. Its methods are called concurrently.
type Adapters interface {
	// Pictures says why video of a codec, named as in SDP, cannot become JPEG; nil where it can.
	Pictures(codec string) error
	New(plan AdapterPlan) Adapter
}

// Adapter is one of them. Open is called once, and Close only when Open has returned or is still running.
type Adapter interface {
	// Open returns when the endpoint has accepted, or has not: then with an *AdapterError, or the context's error.
	Open(ctx context.Context) error
	// Close and Shutdown end it and return when nothing of it is left. The second is for the end of the program.
	Close()
	Shutdown()
	Done() <-chan struct{} // closed when it has ended, by itself or not
	Info() AdapterInfo
}

// AdapterPlan is what an adapter is to do: to play what the endpoint sends on Source, or to send Publication there as
// Output.
type AdapterPlan struct {
	Endpoint    string
	Source      *sfu.Source
	Publication *sfu.Publication
	Output      string // wire.CodecPCM or wire.CodecJPEG
	Limits      func() AdapterLimits
	Logger      *slog.Logger
}

// AdapterLimits are the rules in force that adapters live under. Retry is 0 where a lost socket is not made anew.
type AdapterLimits struct{ Handshake, Retry, Picture, Buffer time.Duration }

// AdapterError is why an endpoint was not connected: the row of the catalogue, the fact, and the cure.
type AdapterError struct {
	Problem wire.Problem
	Err     error
	Cure    string
}

func (e *AdapterError) Error() string { return e.Err.Error() }

func (e *AdapterError) Unwrap() error { return e.Err }

// AdapterInfo is a snapshot of an adapter. Endpoint is without the token.
type AdapterInfo struct {
	Endpoint   string
	State      string // dialling, open, retrying, closed
	Since      time.Time
	RetryUntil time.Time // zero unless it is retrying
	Messages   uint64
	Bytes      uint64
	Dropped    uint64
	Reconnects uint64
	Buffered   time.Duration
	LastError  string
	Ended      string // once it is closed, why
}

// adapterEntry is an adapter of an app.
type adapterEntry struct {
	// fixed before it is registered
	id      string
	app     *App
	made    time.Time
	item    wire.AdapterTrack
	adapter Adapter
	ingest  *ingestSource // local only

	number  int      // in the order of registration, guarded by Registry.mu
	session *Session // local only, as number: the one that publishes the track
}

// ingestSource is a track that an adapter plays, with the Peer that stands in for its endpoint.
type ingestSource struct {
	peer   peer
	track  publication
	source *sfu.Source // nil in tests without media
}

const (
	// maxClosedAdapters is how many ids of closed adapters an app remembers, so that closing one again succeeds (contract 5.2);
	// older ones count as never issued. shownClosedAdapters of them are in the state.
	maxClosedAdapters   = 1000
	shownClosedAdapters = 16
)

// NewAdapters makes adapters and waits until every endpoint has accepted or failed (contract 5.1). A client that goes away
// meanwhile leaves none behind.
func (r *Registry) NewAdapters(ctx context.Context, app *App, in *wire.AdaptersRequest) (*wire.AdaptersResponse, error) {
	f := r.fault(Call{Operation: OpNewAdapters, App: app.id, Items: len(in.Tracks)})
	if err := f.happenWithout(ctx, r, false); err != nil {
		return nil, err
	}
	plan := planAdapters(in.Tracks, f.failures(len(in.Tracks)), adapterLookups{
		find:      func(sessionID, trackName string) publication { return r.find(app, sessionID, trackName) },
		absent:    func(sessionID, trackName string) string { return r.absent(app, sessionID, trackName) },
		publisher: func(sessionID string) string { return r.publisher(app, sessionID) },
		pictures:  r.adapters.Pictures,
	})
	var all sync.WaitGroup
	for i := range plan {
		if plan[i].fail == nil {
			all.Go(func() { r.openAdapter(ctx, app, i, &plan[i]) })
		}
	}
	all.Wait()
	err := f.happenWithout(ctx, r, true)
	if ctx.Err() != nil { // nobody will ever learn the ids
		for _, item := range plan {
			if item.made != nil {
				item.made.adapter.Close()
			}
		}
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	out := r.adaptersResponse(plan)
	f.spoil(out)
	return out, nil
}

// adaptersResponse puts the outcome together, one result per item in the order of the request.
func (r *Registry) adaptersResponse(plan []adapterItem) *wire.AdaptersResponse {
	out := &wire.AdaptersResponse{Tracks: make([]wire.AdapterResult, len(plan))}
	for i, item := range plan {
		result := wire.AdapterResult{TrackName: item.TrackName, Endpoint: item.Endpoint}
		switch {
		case item.fail != nil:
			out.Tracks[i] = result.Fail(item.fail)
			out.Failed = append(out.Failed, item.fail)
			continue
		case item.Location == wire.LocationLocal, !r.contract.InForce(changeAdapterSession):
			result.SessionID = item.made.sessionID(r)
		}
		result.AdapterID = item.made.id
		out.Tracks[i] = result
	}
	return out
}

// openAdapter makes, registers and opens one adapter; it sets item.made or item.fail.
func (r *Registry) openAdapter(ctx context.Context, app *App, i int, item *adapterItem) {
	e := &adapterEntry{id: newID(), app: app, made: r.clock.Now(), item: item.AdapterTrack}
	p := AdapterPlan{
		Endpoint: item.Endpoint, Output: item.OutputCodec, Limits: r.adapterLimits,
		Logger: r.log.With("adapter", e.id, "track", item.TrackName),
	}
	if item.Location == wire.LocationLocal {
		made, err := r.engine.NewSource()
		if err != nil {
			item.fail = wire.Refuse(wire.Internal, "tracks[%d]: %v", i, err)
			return
		}
		e.ingest, p.Source = &made, made.source
	} else {
		p.Publication = concrete(item.source)
	}
	e.adapter = r.adapters.New(p)
	if item.fail = r.register(e, i); item.fail == nil {
		item.fail = r.openEntry(ctx, e, i)
	}
	if item.fail != nil && e.ingest != nil {
		_ = e.ingest.peer.Close() // there was no transport that could fail to close
	}
	if item.fail == nil {
		item.made = e
	}
}

// register makes an adapter known before it dials, so that it is seen and can be ended.
func (r *Registry) register(e *adapterEntry, i int) *wire.Error {
	most := r.Rules().MaxAdapters
	r.mu.Lock()
	defer r.mu.Unlock()
	open := 0
	for _, app := range r.apps {
		open += len(app.adapters)
	}
	switch {
	case r.closed:
		return wire.Refuse(wire.Internal, "the emulator is stopping")
	case r.apps[e.app.id] != e.app:
		return wire.Refuse(wire.Internal, "tracks[%d]: app %s was dropped meanwhile; send the request again", i, e.app.id)
	case open >= most:
		return wire.Refuse(wire.TemporarilyUnavailable, "tracks[%d]: %d adapters are open; close some, or raise max-adapters", i, open).Under("ADP-7")
	}
	r.adaptersMade++
	e.number = r.adaptersMade
	e.app.adapters[e.id] = e
	return nil
}

// openEntry dials, and publishes what a local adapter plays.
func (r *Registry) openEntry(ctx context.Context, e *adapterEntry, i int) *wire.Error {
	if err := e.adapter.Open(ctx); err != nil {
		r.unregister(e, false)
		return refuseEndpoint(err, e.adapter.Info().Endpoint, i)
	}
	if e.ingest != nil {
		if err := r.publishIngest(e, i); err != nil {
			e.adapter.Close()
			r.unregister(e, false)
			return err
		}
	}
	r.start(func() {
		<-e.adapter.Done()
		r.adapterEnded(e)
	})
	r.log.Info("adapter open", "adapter", e.id, "app", e.app.id, "location", e.item.Location, "session", e.sessionID(r),
		"track", e.item.TrackName, "endpoint", e.adapter.Info().Endpoint)
	return nil
}

// publishIngest makes the session whose one track the adapter plays. It lives as long as the adapter.
func (r *Registry) publishIngest(e *adapterEntry, i int) *wire.Error {
	s := newSession(r, e.app)
	s.adapterID = e.id
	s.attach(e.ingest.peer) // nobody knows the session that could have dropped it
	if err := r.add(s); err != nil {
		return wire.Refuse(wire.Internal, "tracks[%d]: the session of the adapter: %v", i, err)
	}
	r.mu.Lock()
	e.session = s
	r.mu.Unlock()
	s.record([]*track{{mid: e.ingest.track.Mid(), name: e.item.TrackName, source: e.ingest.track}})
	r.start(func() { s.watch(e.ingest.peer) })
	return nil
}

// adapterEnded follows the end of an adapter, whatever it came of.
func (r *Registry) adapterEnded(e *adapterEntry) {
	r.mu.Lock()
	s := e.session
	r.mu.Unlock()
	if s != nil {
		r.drop(s, "its adapter has ended")
	}
	r.unregister(e, true)
}

// unregister forgets an adapter; a closed one's id stays known for a while.
func (r *Registry) unregister(e *adapterEntry, issued bool) {
	var last AdapterSnapshot
	if issued {
		last = e.snapshot(r, r.clock.Now())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.app.adapters[e.id] != e {
		return
	}
	delete(e.app.adapters, e.id)
	if !issued {
		return
	}
	e.app.closed = append(e.app.closed, last)
	if over := len(e.app.closed) - maxClosedAdapters; over > 0 {
		e.app.closed = append(e.app.closed[:0:0], e.app.closed[over:]...)
	}
}

// sessionID is that of the published track: the new session of a local adapter, the publisher's of a remote one.
func (e *adapterEntry) sessionID(r *Registry) string {
	if e.ingest == nil {
		return e.item.SessionID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.session == nil {
		return ""
	}
	return e.session.id
}

// adapterLimits are asked for by adapters whenever one of them begins to count.
func (r *Registry) adapterLimits() AdapterLimits {
	rules := r.Rules()
	limits := AdapterLimits{Handshake: rules.AdapterHandshake, Retry: rules.AdapterRetry, Picture: rules.JPEGInterval, Buffer: rules.IngestBuffer}
	if !r.contract.InForce(changeAdapterReconnect) {
		limits.Retry = 0
	}
	return limits
}

// CloseAdapters closes adapters (contract 5.2). One that is closed already counts as closed now, one that was never issued
// does not.
func (r *Registry) CloseAdapters(ctx context.Context, app *App, in *wire.CloseAdaptersRequest) (*wire.CloseAdaptersResponse, error) {
	f := r.fault(Call{Operation: OpCloseAdapters, App: app.id, Items: len(in.Tracks)})
	if err := f.happenWithout(ctx, r, false); err != nil {
		return nil, err
	}
	out := &wire.CloseAdaptersResponse{Tracks: make([]wire.CloseAdapterResult, len(in.Tracks))}
	fail := f.failures(len(in.Tracks))
	var all sync.WaitGroup
	closing := map[string]bool{}
	for i, item := range in.Tracks {
		out.Tracks[i] = wire.CloseAdapterResult{AdapterID: item.AdapterID}
		if fail[i] != nil {
			continue
		}
		e, known := r.adapter(app, item.AdapterID)
		alive := e != nil && !closed(e.adapter.Done()) && !closing[item.AdapterID]
		switch {
		case alive:
			closing[item.AdapterID] = true
			all.Go(func() {
				e.adapter.Close()
				bytes := e.adapter.Info().Bytes
				out.Tracks[i].BytesProcessed = &bytes
				r.adapterEnded(e) // before the answer, so that what the client asks next finds the session gone
			})
		case !known:
			fail[i] = wire.Refuse(wire.AdapterNotFound, "tracks[%d]: app %s never had an adapter %q, or it was closed long ago; close by the "+
				"adapterId from new", i, app.id, item.AdapterID)
		case !r.contract.InForce(changeAdapterClose):
			fail[i] = wire.Refuse(wire.AdapterNotFound, "tracks[%d]: adapter %q is closed already, which was an error before %s; take it as "+
				"closed", i, item.AdapterID, changeAdapterClose.Since).Under("ADP-8")
		}
	}
	all.Wait()
	for i, e := range fail {
		if e != nil {
			out.Tracks[i] = out.Tracks[i].Fail(e)
			out.Failed = append(out.Failed, e)
		}
	}
	if err := f.happenWithout(ctx, r, true); err != nil {
		return nil, err
	}
	f.spoil(out)
	return out, nil
}

// adapter finds an adapter of the app that has not ended for long; known is also true for one that has.
func (r *Registry) adapter(app *App, id string) (e *adapterEntry, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := app.adapters[id]; e != nil {
		return e, true
	}
	for i := range app.closed {
		if app.closed[i].ID == id {
			return nil, true
		}
	}
	return nil, false
}

// endAdapters ends every adapter of an app, or of all where app is nil, beside each other.
func (r *Registry) endAdapters(app *App, end func(Adapter)) (count int) {
	var entries []*adapterEntry
	r.mu.Lock()
	for _, a := range r.apps {
		if app == nil || a == app {
			for _, e := range a.adapters {
				entries = append(entries, e)
			}
		}
	}
	r.mu.Unlock()
	var all sync.WaitGroup
	for _, e := range entries {
		all.Go(func() {
			end(e.adapter)
			r.adapterEnded(e)
		})
	}
	all.Wait()
	return len(entries)
}

// newID is 32 lower-case hex digits (contract 0.3).
func newID() string {
	id := uuid.New()
	return hex.EncodeToString(id[:])
}

// refuseEndpoint explains why an endpoint was not connected. shown is the endpoint without its token.
func refuseEndpoint(err error, shown string, i int) *wire.Error {
	var known *AdapterError
	if errors.As(err, &known) {
		return wire.Refuse(known.Problem, "tracks[%d]: %s: %v; %s", i, shown, known.Err, known.Cure)
	}
	return wire.Refuse(wire.Internal, "tracks[%d]: %s: %v", i, shown, err)
}
