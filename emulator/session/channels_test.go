package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func (b *bench) establish(id, sdp string) (*wire.EstablishResponse, error) {
	in := &wire.EstablishRequest{DataChannel: &wire.EstablishChannel{DataChannelName: wire.ServerEvents}}
	if sdp != "" {
		in.SessionDescription = offerOf(sdp)
	}
	return b.EstablishData(b.Context(), b.app, id, in)
}

// dataSession is a connected session with a transport for data channels.
func (b *bench) dataSession() string {
	b.Helper()
	id := b.newSession()
	if _, err := b.establish(id, ""); err != nil {
		b.Fatal(err)
	}
	if err := b.answer(id); err != nil {
		b.Fatal(err)
	}
	b.connect(id)
	return id
}

func (b *bench) newChannels(id string, items ...wire.ChannelObject) []wire.ChannelResult {
	b.Helper()
	out, err := b.NewChannels(b.Context(), b.app, id, &wire.NewChannelsRequest{DataChannels: items})
	if err != nil {
		b.Fatal(err)
	}
	if len(out.DataChannels) != len(items) {
		b.Fatalf("%d results for %d items", len(out.DataChannels), len(items))
	}
	failed := 0
	for _, r := range out.DataChannels {
		if r.ErrorCode != "" {
			failed++
		}
	}
	if len(out.Failed) != failed {
		b.Errorf("%d explanations for %d failed items", len(out.Failed), failed)
	}
	return out.DataChannels
}

func localChannel(name string) wire.ChannelObject {
	return wire.ChannelObject{Location: wire.LocationLocal, DataChannelName: name}
}

func remoteChannel(sessionID, name string) wire.ChannelObject {
	return wire.ChannelObject{Location: wire.LocationRemote, SessionID: sessionID, DataChannelName: name}
}

// outcomes are the results in short: "id" or the error code.
func outcomes(results []wire.ChannelResult) []string {
	var list []string
	for _, r := range results {
		if r.ErrorCode != "" {
			list = append(list, r.ErrorCode)
			continue
		}
		list = append(list, fmt.Sprint(*r.ID))
	}
	return list
}

func (b *bench) wantChannels(id string, want ...string) {
	b.Helper()
	state, err := b.SessionState(b.Context(), b.app, id)
	if err != nil {
		b.Fatal(err)
	}
	var got []string
	for _, c := range state.DataChannels {
		got = append(got, strings.Join([]string{c.Location, fmt.Sprint(c.ID), c.DataChannelName, c.Status}, " "))
	}
	if !slices.Equal(got, want) {
		b.Errorf("GET lists %q, want %q", got, want)
	}
}

func TestEstablishOffersOnceAndAnswersAnOffer(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		out, err := b.establish(id, "")
		if err != nil || !out.RequiresImmediateRenegotiation || out.SessionDescription.Type != wire.TypeOffer || out.DataChannel.ID != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		_, err = b.establish(id, "")
		wantProblem(t, err, wire.SDPOutOfOrder)
		if err := b.answer(id); err != nil {
			t.Fatal(err)
		}
		b.connect(id)
		_, err = b.establish(id, "")
		wantProblem(t, err, wire.BodyUndecodable)

		second := b.newSession()
		out, err = b.establish(second, "0 application inactive")
		if err != nil || out.RequiresImmediateRenegotiation || out.SessionDescription.Type != wire.TypeAnswer {
			t.Fatalf("with an offer %+v, %v", out, err)
		}
		_, err = b.establish(b.newSession(), "0 video sendonly")
		wantProblem(t, err, wire.BodyUndecodable)
		_, err = b.establish(b.newSession(), "no ufrag")
		wantProblem(t, err, wire.SDPNoUfrag)
	})
}

func TestDataTransportOfAMediaOfferMakesEstablishNeedless(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		if _, err := b.push(t.Context(), id, "0 video sendonly;1 application inactive", local("0", "cam")); err != nil {
			t.Fatal(err)
		}
		b.connect(id)
		_, err := b.establish(id, "")
		wantProblem(t, err, wire.BodyUndecodable)
		if got := outcomes(b.newChannels(id, localChannel("chat"))); !slices.Equal(got, []string{"1"}) {
			t.Errorf("allocated %q", got)
		}
	})
}

func TestChannelCallsWithoutADataTransportAreTooEarly(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		media := b.publisher("cam")
		for _, id := range []string{b.newSession(), media} {
			_, err := b.NewChannels(t.Context(), b.app, id, &wire.NewChannelsRequest{DataChannels: []wire.ChannelObject{localChannel("chat")}})
			wantProblem(t, err, wire.SessionNotReady)
			_, err = b.UpdateChannels(t.Context(), b.app, id, &wire.UpdateChannelsRequest{DataChannels: []wire.ChannelObject{remoteChannel("x", "chat")}})
			wantProblem(t, err, wire.SessionNotReady)
			_, err = b.CloseChannels(t.Context(), b.app, id, &wire.CloseChannelsRequest{DataChannels: []wire.CloseChannel{{ID: 1}}})
			wantProblem(t, err, wire.SessionNotReady)
		}
	})
}

// cloud-gaming allocates right after renegotiate (contract 1.10, 11 flow 4).
func TestAllocationWaitsForTheTransport(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		if _, err := b.establish(id, ""); err != nil {
			t.Fatal(err)
		}
		if err := b.answer(id); err != nil {
			t.Fatal(err)
		}
		call := func() (*wire.ChannelsResponse, error) {
			return b.NewChannels(t.Context(), b.app, id, &wire.NewChannelsRequest{DataChannels: []wire.ChannelObject{localChannel("chat")}})
		}
		early := begin(call)
		b.pass(4 * time.Second)
		if early.over() {
			t.Fatalf("answered before the transport is up: %v", early.err)
		}
		b.connect(id)
		if <-early.done; early.err != nil {
			t.Errorf("after the transport is up: %v", early.err)
		}

		other := b.newSession()
		if _, err := b.establish(other, "0 application inactive"); err != nil {
			t.Fatal(err)
		}
		_, err := b.NewChannels(t.Context(), b.app, other, &wire.NewChannelsRequest{DataChannels: []wire.ChannelObject{localChannel("chat")}})
		wantProblem(t, err, wire.SessionNotReady)
	})
}

func TestChannelItems(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, to := b.dataSession(), b.dataSession()
		if got := outcomes(b.newChannels(from, localChannel("chat"), localChannel("chat"), localChannel("input"))); !slices.Equal(got,
			[]string{"1", "repeated_local_track_error", "2"}) {
			t.Errorf("published %q", got)
		}
		yes := true
		reply := remoteChannel(from, "chat")
		reply.CanReply = &yes
		results := b.newChannels(to, reply, remoteChannel(from, "nothing"), remoteChannel("nobody", "chat"), remoteChannel(from, "chat"))
		if got := outcomes(results); !slices.Equal(got, []string{"1", "not_found_track_error", "not_found_track_error", "repeated_local_track_error"}) {
			t.Errorf("subscribed %q", got)
		}
		one := 1
		if want := (wire.ChannelResult{Location: "remote", DataChannelName: "chat", SessionID: from, ID: &one, CanReply: &yes}); *results[0].ID != one ||
			results[0].Location != want.Location || results[0].SessionID != from || results[0].CanReply == nil {
			t.Errorf("item %+v, want %+v", results[0], want)
		}
		if r := results[1]; r.ID != nil || r.Location != "remote" || r.DataChannelName != "nothing" || r.SessionID != from {
			t.Errorf("failed item %+v", r)
		}
		if got := b.peer(from).data.longest; got != 65536 {
			t.Errorf("longest message %d", got)
		}
		b.wantChannels(from, "local 1 chat active", "local 2 input active")
		b.wantChannels(to, "remote 1 chat active")
	})
}

func TestPolicyOfAnItem(t *testing.T) {
	no, zero, ms := false, 0, 250
	got := policyOf(wire.ChannelObject{Ordered: &no, MaxRetransmits: &zero})
	if !got.Unordered || got.MaxRetransmits == nil || *got.MaxRetransmits != 0 || got.MaxLifetime != nil {
		t.Errorf("%+v", got)
	}
	got = policyOf(wire.ChannelObject{MaxPacketLifeTime: &ms})
	if got.Unordered || got.MaxRetransmits != nil || got.MaxLifetime == nil || *got.MaxLifetime != 250*time.Millisecond {
		t.Errorf("%+v", got)
	}
}

func TestUpdateMovesTheRightToReply(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, a, c := b.dataSession(), b.dataSession(), b.dataSession()
		b.newChannels(from, localChannel("chat"))
		b.newChannels(a, remoteChannel(from, "chat"))
		b.newChannels(c, remoteChannel(from, "chat"))
		update := func(id string, may *bool) wire.ChannelResult {
			t.Helper()
			item := remoteChannel(from, "chat")
			item.CanReply = may
			out, err := b.UpdateChannels(t.Context(), b.app, id, &wire.UpdateChannelsRequest{DataChannels: []wire.ChannelObject{item}})
			if err != nil {
				t.Fatal(err)
			}
			return out.DataChannels[0]
		}
		yes, no := true, false
		for i, step := range []struct {
			id   string
			may  *bool
			want bool
		}{{a, &yes, true}, {c, &yes, true}, {a, nil, false}, {a, &no, false}, {c, nil, true}, {c, &no, false}} {
			if r := update(step.id, step.may); r.CanReply == nil || *r.CanReply != step.want || r.ID == nil || r.Location != "remote" {
				t.Errorf("step %d: %+v", i, r)
			}
		}
		out, err := b.UpdateChannels(t.Context(), b.app, a, &wire.UpdateChannelsRequest{DataChannels: []wire.ChannelObject{remoteChannel(from, "other")}})
		if err != nil || out.DataChannels[0].ErrorCode != "not_found_track_error" || len(out.Failed) != 1 {
			t.Errorf("unknown subscription: %+v, %v", out, err)
		}
	})
}

func TestCloseByIDFreesTheName(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, to := b.dataSession(), b.dataSession()
		b.newChannels(from, localChannel("chat"))
		b.newChannels(to, remoteChannel(from, "chat"))
		closeIDs := func(id string, ids ...int) []wire.ChannelResult {
			t.Helper()
			in := &wire.CloseChannelsRequest{}
			for _, n := range ids {
				in.DataChannels = append(in.DataChannels, wire.CloseChannel{ID: n})
			}
			out, err := b.CloseChannels(t.Context(), b.app, id, in)
			if err != nil {
				t.Fatal(err)
			}
			return out.DataChannels
		}
		results := closeIDs(from, 1, 1, 9)
		if got := outcomes(results); !slices.Equal(got, []string{"1", "close_track_error", "close_track_error"}) {
			t.Errorf("closed %q", got)
		}
		if r := results[0]; r.Location != "local" || r.DataChannelName != "chat" || *results[2].ID != 9 {
			t.Errorf("items %+v", results)
		}
		b.wantChannels(from, "local 1 chat inactive")
		if got := outcomes(b.newChannels(b.dataSession(), remoteChannel(from, "chat"))); got[0] != "not_found_track_error" {
			t.Errorf("subscribed to a closed channel: %q", got)
		}
		b.newChannels(from, localChannel("chat"))
		b.wantChannels(from, "local 1 chat inactive", "local 2 chat active")
		if r := closeIDs(to, 1)[0]; r.Location != "remote" || r.SessionID != from {
			t.Errorf("the subscription's item %+v", r)
		}
		b.wantChannels(to, "remote 1 chat inactive")
	})
}

// A publication is never reaped: a client that comes back to it must close it by id first (contract 4.3). A subscription
// whose channel is over is in nobody's way.
func TestOverChannelsAndTheirNames(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, to := b.dataSession(), b.dataSession()
		b.newChannels(from, localChannel("chat"))
		b.newChannels(to, remoteChannel(from, "chat"))
		b.session(b.app, to).channels[0].sub.Close() // by the client
		b.wantChannels(to, "remote 1 chat inactive")
		if got := outcomes(b.newChannels(to, remoteChannel(from, "chat"))); got[0] != "2" {
			t.Errorf("subscribed again: %q", got)
		}
		b.session(b.app, from).channels[0].pub.Close() // by the client
		b.wantChannels(from, "local 1 chat inactive")
		if got := outcomes(b.newChannels(from, localChannel("chat"))); got[0] != "repeated_local_track_error" {
			t.Errorf("published again: %q", got)
		}
		if got := outcomes(b.newChannels(b.dataSession(), remoteChannel(from, "chat"))); got[0] != "not_found_track_error" {
			t.Errorf("subscribed to what is over: %q", got)
		}
	})
}

// The SFU gives an id away again once its channel is over, whoever ended it. The id means the new channel then.
func TestIDThatComesBackMeansTheNewChannel(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, to := b.dataSession(), b.dataSession()
		b.newChannels(from, localChannel("chat"), localChannel("input"))
		b.newChannels(to, remoteChannel(from, "chat"))
		b.session(b.app, to).channels[0].sub.Close() // by the SFU: too much unread
		b.peer(to).data.again = 1
		b.newChannels(to, remoteChannel(from, "chat"))
		b.wantChannels(to, "remote 1 chat inactive", "remote 1 chat active")
		out, err := b.CloseChannels(t.Context(), b.app, to, &wire.CloseChannelsRequest{DataChannels: []wire.CloseChannel{{ID: 1}, {ID: 1}}})
		if err != nil || out.DataChannels[0].ErrorCode != "" || out.DataChannels[1].ErrorCode != "close_track_error" {
			t.Fatalf("%+v, %v", out, err)
		}
		if s := b.session(b.app, to).channels[1].sub.State(); s != sfu.ChannelInactive {
			t.Errorf("the live channel is %v", s)
		}
		b.session(b.app, from).channels[0].pub.Close() // its section was rejected
		b.peer(from).data.again = 1
		b.newChannels(from, localChannel("other"))
		if got := outcomes(b.newChannels(from, localChannel("chat"))); got[0] != "4" {
			t.Errorf("the name of a channel whose id has another meaning: %q", got)
		}
	})
}

func TestSessionIDOfALocalItemMeansNothing(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.dataSession()
		item := localChannel("chat")
		item.SessionID = "whatever"
		if got := outcomes(b.newChannels(id, item, item, localChannel("chat"))); !slices.Equal(got,
			[]string{"1", "repeated_local_track_error", "repeated_local_track_error"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestAcknowledgementThatDoesNotComeEndsTheSubscription(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, acks, silent := b.dataSession(), b.dataSession(), b.dataSession()
		b.newChannels(from, localChannel("chat"))
		wait := remoteChannel(from, "chat")
		wait.WaitForAck = true
		b.newChannels(acks, wait)
		b.newChannels(silent, wait)
		b.jump(29 * time.Second)
		timers := b.Snapshot().Apps[0].Sessions
		i := slices.IndexFunc(timers, func(s Snapshot) bool { return s.ID == silent })
		if j := slices.IndexFunc(timers[i].Timers, func(d TimerSnapshot) bool { return d.Rule == "ack-wait" && d.Channel == 1 && d.Left == "1s" }); j < 0 {
			t.Errorf("timers %+v", timers[i].Timers)
		}
		b.session(b.app, acks).channels[0].sub.(*fakeDataSub).ack()
		b.jump(2 * time.Second)
		b.wantChannels(acks, "remote 1 chat active")
		b.wantChannels(silent, "remote 1 chat inactive")
		if got := outcomes(b.newChannels(silent, wait)); got[0] != "2" {
			t.Errorf("subscribed again: %q", got)
		}
	})
}

func TestSnapshotAndResetOfChannels(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		from, to := b.dataSession(), b.dataSession()
		limit := 3
		b.newChannels(from, wire.ChannelObject{Location: "local", DataChannelName: "chat", MaxRetransmits: &limit})
		wait := remoteChannel(from, "chat")
		wait.WaitForAck = true
		b.newChannels(to, wait)
		for _, s := range b.Snapshot().Apps[0].Sessions {
			if len(s.Channels) != 1 {
				t.Fatalf("channels %+v", s.Channels)
			}
			switch c := s.Channels[0]; s.ID {
			case from:
				if c.Received != 7 || c.NotHeard != 1 || !c.Ordered || c.MaxRetransmits == nil || *c.MaxRetransmits != 3 {
					t.Errorf("publication %+v", c)
				}
			case to:
				if !c.WaitsForAck || c.Queued != 3 || c.SessionID != from {
					t.Errorf("subscription %+v", c)
				}
			}
		}
		total := 0
		for _, s := range b.Reset("").Sessions {
			total += s.Channels
		}
		if total != 2 {
			t.Errorf("the reset closed %d channels", total)
		}
	})
}

func TestAllocationThatFailsBelow(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.dataSession()
		for _, err := range []error{sfu.ErrNoChannelIDs, errors.New("ends")} {
			b.peer(id).data.fail = err
			if got := outcomes(b.newChannels(id, localChannel("chat"))); got[0] != "internal_error" {
				t.Errorf("%v gave %q", err, got)
			}
		}
	})
}

func TestFaultsOnChannels(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.dataSession()
		for _, after := range []bool{false, true} {
			b.faults = decided(func(c Call) Fault {
				if c.Operation != OpNewChannels || c.Items != 2 {
					return Fault{}
				}
				return Fault{After: after, Items: map[int]*wire.Error{1: wire.Refuse(wire.Internal, "on purpose")}}
			})
			names := []wire.ChannelObject{localChannel(fmt.Sprint("a", after)), localChannel(fmt.Sprint("b", after))}
			if got := outcomes(b.newChannels(id, names...)); got[1] != "internal_error" || got[0] == "internal_error" {
				t.Errorf("after %v: %q", after, got)
			}
			if made := b.findChannel(b.app, id, names[1].DataChannelName) != nil; made != after {
				t.Errorf("after %v: made %v", after, made)
			}
		}
	})
}

// decided answers every call as f says.
type decided func(Call) Fault

func (f decided) Decide(c Call) Fault { return f(c) }
