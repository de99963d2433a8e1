package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// NewSource is a track that the test plays.
func (e *fakeEngine) NewSource() (ingestSource, error) {
	p, err := e.newPeer(false)
	if err != nil {
		return ingestSource{}, err
	}
	fake := p.(*fakePeer)
	pub := newFakePub("0", sfu.KindAudio)
	pub.codec = "opus"
	fake.pubs["0"] = pub
	fake.set(sfu.StateConnected)
	pub.send()
	return ingestSource{peer: p, track: pub}, nil
}

// fakeAdapters stands in for the sockets: what an endpoint does is said by its host.
type fakeAdapters struct {
	mu   sync.Mutex
	made []*fakeAdapter
}

func (f *fakeAdapters) Pictures(codec string) error {
	switch codec {
	case "VP8":
		return nil
	case "AV1":
		return errors.New("no jpeg of that")
	}
	return errors.New("needs a program that is not there")
}

func (f *fakeAdapters) New(p AdapterPlan) Adapter {
	a := &fakeAdapter{plan: p, done: make(chan struct{}), stop: make(chan struct{}), state: "dialling", since: time.Now()}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made = append(f.made, a)
	return a
}

func (f *fakeAdapters) last() *fakeAdapter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[len(f.made)-1]
}

// fakeAdapter opens at once, unless the host is one of "refuses", "localhost", "late" or "silent", which never answers.
type fakeAdapter struct {
	plan AdapterPlan
	done chan struct{}
	stop chan struct{}

	mu     sync.Mutex
	state  string
	since  time.Time
	ending string // Close or Shutdown
	info   AdapterInfo
}

func (a *fakeAdapter) Open(ctx context.Context) error {
	refuse := func(p wire.Problem) error {
		a.end()
		return &AdapterError{Problem: p, Err: errors.New("the fact"), Cure: "the cure"}
	}
	switch host, _, _ := strings.Cut(strings.TrimPrefix(a.plan.Endpoint, "ws://"), "/"); host {
	case "refuses":
		return refuse(wire.AdapterHandshake)
	case "localhost":
		return refuse(wire.AdapterLocalhost)
	case "late":
		return refuse(wire.AdapterTimeout)
	case "silent":
		select {
		case <-ctx.Done():
			a.end()
			return ctx.Err()
		case <-a.stop:
			return refuse(wire.Internal)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = "open"
	return nil
}

// end is the adapter's own end.
func (a *fakeAdapter) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != "closed" {
		a.state = "closed"
		close(a.done)
	}
}

func (a *fakeAdapter) shut(how string) {
	a.mu.Lock()
	dialling := a.state == "dialling"
	if a.ending == "" {
		a.ending = how
		close(a.stop)
	}
	a.mu.Unlock()
	if dialling {
		<-a.done
	}
	a.end()
}

func (a *fakeAdapter) Close()                { a.shut("Close") }
func (a *fakeAdapter) Shutdown()             { a.shut("Shutdown") }
func (a *fakeAdapter) Done() <-chan struct{} { return a.done }

func (a *fakeAdapter) Info() AdapterInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	info := a.info
	info.State, info.Since = a.state, a.since
	info.Endpoint, _, _ = strings.Cut(a.plan.Endpoint, "?")
	return info
}

func (a *fakeAdapter) how() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ending
}

// inAdapterBench has a Registry with adapters.
func inAdapterBench(t *testing.T, cfg Config, script func(t *testing.T, b *bench, f *fakeAdapters)) {
	f := &fakeAdapters{}
	cfg.Adapters = f
	inBenchOf(t, cfg, func(t *testing.T, b *bench) { script(t, b, f) })
}

func ingest(name, host string) wire.AdapterTrack {
	return wire.AdapterTrack{Location: "local", TrackName: name, Endpoint: "ws://" + host + "/in?token=canary", InputCodec: "pcm"}
}

func egress(sessionID, name, host, codec string) wire.AdapterTrack {
	return wire.AdapterTrack{Location: "remote", SessionID: sessionID, TrackName: name, Endpoint: "ws://" + host + "/out?token=canary", OutputCodec: codec}
}

func (b *bench) adapters(items ...wire.AdapterTrack) *wire.AdaptersResponse {
	b.Helper()
	out, err := b.NewAdapters(b.Context(), b.app, &wire.AdaptersRequest{Tracks: items})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bench) closeAdapters(ids ...string) *wire.CloseAdaptersResponse {
	b.Helper()
	in := &wire.CloseAdaptersRequest{}
	for _, id := range ids {
		in.Tracks = append(in.Tracks, wire.CloseAdapter{AdapterID: id})
	}
	out, err := b.CloseAdapters(b.Context(), b.app, in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// shown lists the adapters of the state as "location track state".
func (b *bench) shown() []string {
	list := []string{}
	for _, app := range b.Snapshot().Apps {
		for _, a := range app.Adapters {
			list = append(list, strings.Join([]string{a.Location, a.TrackName, a.State}, " "))
		}
	}
	return list
}
