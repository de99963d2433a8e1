package session

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// wantAdapters compares items as "name" or "name code", and the status.
func wantAdapters(t *testing.T, out *wire.AdaptersResponse, status int, want ...string) {
	t.Helper()
	var got []string
	for _, item := range out.Tracks {
		got = append(got, strings.TrimSpace(item.TrackName+" "+item.ErrorCode))
		if failed := item.ErrorCode != ""; failed == (item.AdapterID != "") || failed == (item.Endpoint != "") {
			t.Errorf("item %+v", item)
		}
	}
	if !slices.Equal(got, want) || out.Status() != status {
		t.Errorf("%d %q, want %d %q", out.Status(), got, status, want)
	}
}

// rulesOf are the ids that explanations begin with.
func rulesOf(lines []string) (rules []string) {
	for _, line := range lines {
		rule, _, _ := strings.Cut(line, ":")
		rules = append(rules, rule)
	}
	return rules
}

func TestALocalAdapterPublishesInASessionOfItsOwn(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, f *fakeAdapters) {
		out := b.adapters(ingest("speech", "app"))
		wantAdapters(t, out, 200, "speech")
		item := out.Tracks[0]
		hex32 := regexp.MustCompile(`^[0-9a-f]{32}$`)
		if !hex32.MatchString(item.AdapterID) || !hex32.MatchString(item.SessionID) || item.AdapterID == item.SessionID {
			t.Errorf("ids %q and %q", item.AdapterID, item.SessionID)
		}
		if item.Endpoint != "ws://app/in?token=canary" {
			t.Errorf("the endpoint comes back as %q", item.Endpoint)
		}
		b.wantStatuses(item.SessionID, "local 0 speech active")
		listener := b.newSession()
		pulled, err := b.pull(t.Context(), listener, remote(item.SessionID, "speech"))
		if err != nil || pulled.Tracks[0].ErrorCode != "" {
			t.Fatalf("%+v, %v", pulled, err)
		}
		if got := b.shown(); !slices.Equal(got, []string{"local speech open"}) {
			t.Errorf("the state shows %q", got)
		}

		f.last().info.Bytes = 77
		closing := b.closeAdapters(item.AdapterID)
		if got := closing.Tracks[0]; got.ErrorCode != "" || got.BytesProcessed == nil || *got.BytesProcessed != 77 || closing.Status() != 200 {
			t.Errorf("%+v", got)
		}
		b.wantGone(item.SessionID) // the session goes with its adapter, before the answer
		again := b.closeAdapters(item.AdapterID)
		if got := again.Tracks[0]; got.ErrorCode != "" || got.BytesProcessed != nil || again.Status() != 200 {
			t.Errorf("closed again: %+v", got)
		}
		if got := b.shown(); !slices.Equal(got, []string{"local speech closed"}) {
			t.Errorf("the state shows %q", got)
		}
	})
}

// TestAnAdaptersSessionOutlivesAllWaits: it never negotiates, and its track is never silent (contract 5.3).
func TestAnAdaptersSessionOutlivesAllWaits(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, _ *fakeAdapters) {
		id := b.adapters(ingest("speech", "app")).Tracks[0].SessionID
		p := b.peer(id)
		p.hearOn(t)
		defer p.pubs["0"].sendOn()()
		b.pass(2 * time.Minute)
		b.jump(10 * time.Minute)
		b.wantStatuses(id, "local 0 speech active")
	})
}

func TestARemoteAdapterNeedsATrackThatItCanConvert(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, _ *fakeAdapters) {
		id := b.publisher("cam", "paused", "vp9", "av1", "mic", "pcmu")
		p := b.peer(id)
		p.pubs["2"].codec, p.pubs["3"].codec, p.pubs["4"].codec, p.pubs["5"].codec = "VP9", "AV1", "OPUS", "PCMU"
		p.pubs["4"].kind, p.pubs["5"].kind = sfu.KindAudio, sfu.KindAudio
		p.pubs["1"].last = time.Now().Add(-3 * time.Second)
		for _, c := range []struct {
			item wire.AdapterTrack
			want string
			rule string
		}{
			{egress(id, "cam", "app", "jpeg"), "cam", ""},
			{egress(id, "mic", "app", "pcm"), "mic", ""},
			{egress(id, "nothing", "app", "pcm"), "nothing not_found_track_error", "ADP-1"},
			{egress(strings.Repeat("0", 32), "cam", "app", "jpeg"), "cam not_found_track_error", "ADP-1"},
			{egress(id, "paused", "app", "jpeg"), "paused not_found_track_error", "ADP-9"},
			{egress(id, "cam", "app", "pcm"), "cam track_error", "ADP-2"},
			{egress(id, "mic", "app", "jpeg"), "mic track_error", "ADP-2"},
			{egress(id, "pcmu", "app", "pcm"), "pcmu track_error", "ADP-2"},
			{egress(id, "vp9", "app", "jpeg"), "vp9 track_error", "ADP-10"},
			{egress(id, "av1", "app", "jpeg"), "av1 track_error", "ADP-10"},
			{egress(id, "cam", "refuses", "jpeg"), "cam websocket_handshake_failed", "ADP-4"},
			{egress(id, "cam", "localhost", "jpeg"), "cam websocket_localhost_not_allowed", "ADP-3"},
			{egress(id, "cam", "late", "jpeg"), "cam websocket_connection_timeout", "ADP-5"},
			{ingest("speech", "refuses"), "speech websocket_handshake_failed", "ADP-4"},
		} {
			out := b.adapters(c.item)
			status := 200
			if c.rule != "" {
				status = 503
			}
			wantAdapters(t, out, status, c.want)
			if why := out.Explanations(); c.rule != "" && !slices.Equal(rulesOf(why), []string{c.rule}) || strings.Contains(strings.Join(why, ""), "canary") {
				t.Errorf("%s: explained as %q, want %s", c.want, why, c.rule)
			}
			if out.Tracks[0].SessionID != "" {
				t.Errorf("%s: has the sessionId %s", c.want, out.Tracks[0].SessionID)
			}
		}
		if n := len(b.allSessions()); n != 1 {
			t.Errorf("failed adapters left %d sessions behind", n-1)
		}
		if got := b.shown(); !slices.Equal(got, []string{"remote cam open", "remote mic open"}) {
			t.Errorf("the state shows %q", got)
		}
	})
}

func TestItemsFailOneByOneAndInOrder(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, _ *fakeAdapters) {
		id := b.publisher("cam")
		out := b.adapters(egress(id, "nothing", "app", "jpeg"), ingest("a", "app"), ingest("b", "refuses"), egress(id, "cam", "app", "jpeg"))
		wantAdapters(t, out, 200, "nothing not_found_track_error", "a", "b websocket_handshake_failed", "cam")
		if got := rulesOf(out.Explanations()); !slices.Equal(got, []string{"ADP-1", "ADP-4"}) {
			t.Errorf("explained as %q", got)
		}
		closing := b.closeAdapters("unknown", out.Tracks[1].AdapterID, out.Tracks[1].AdapterID, out.Tracks[3].AdapterID)
		var codes []string
		for _, item := range closing.Tracks {
			codes = append(codes, fmt.Sprint(item.ErrorCode, item.BytesProcessed != nil))
		}
		if !slices.Equal(codes, []string{"adapter_not_foundfalse", "true", "false", "true"}) || closing.Status() != 200 {
			t.Errorf("%d %q", closing.Status(), codes)
		}
		if closing := b.closeAdapters("unknown", "unknown"); closing.Status() != 503 || len(closing.Failed) != 2 {
			t.Errorf("%d %+v", closing.Status(), closing.Tracks)
		}
	})
}

func TestAnAdapterThatEndsByItselfIsClosed(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, f *fakeAdapters) {
		item := b.adapters(ingest("speech", "app")).Tracks[0]
		f.last().end()
		synctest.Wait()
		b.wantGone(item.SessionID)
		if out := b.closeAdapters(item.AdapterID); out.Status() != 200 || out.Tracks[0].BytesProcessed != nil {
			t.Errorf("%+v", out.Tracks)
		}
	})
}

func TestAdaptersBelongToTheirApp(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, _ *fakeAdapters) {
		id := b.adapters(ingest("speech", "app")).Tracks[0].AdapterID
		other, err := b.Authorize("other", "x")
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.CloseAdapters(t.Context(), other, &wire.CloseAdaptersRequest{Tracks: []wire.CloseAdapter{{AdapterID: id}}})
		if err != nil || out.Tracks[0].ErrorCode != "adapter_not_found" {
			t.Errorf("%+v, %v", out, err)
		}
		made, err := b.NewAdapters(t.Context(), other, &wire.AdaptersRequest{Tracks: []wire.AdapterTrack{egress(b.publisher("cam"), "cam", "app", "jpeg")}})
		if err != nil || made.Tracks[0].ErrorCode != "not_found_track_error" {
			t.Errorf("%+v, %v", made, err)
		}
	})
}

func TestTheNumberOfAdaptersIsBounded(t *testing.T) {
	inAdapterBench(t, Config{Rules: Rules{MaxAdapters: 2}}, func(t *testing.T, b *bench, _ *fakeAdapters) {
		out := b.adapters(ingest("a", "app"), ingest("b", "refuses"))
		wantAdapters(t, out, 200, "a", "b websocket_handshake_failed")
		b.adapters(ingest("c", "app"))
		full := b.adapters(ingest("d", "app"))
		wantAdapters(t, full, 503, "d temporarily_unavailable_error")
		if got := rulesOf(full.Explanations()); !slices.Equal(got, []string{"ADP-7"}) {
			t.Errorf("explained as %q", got)
		}
		b.closeAdapters(out.Tracks[0].AdapterID)
		synctest.Wait()
		wantAdapters(t, b.adapters(ingest("d", "app")), 200, "d")
	})
}

func TestAResetClosesAdapters(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, f *fakeAdapters) {
		b.adapters(ingest("a", "app"), ingest("b", "app"))
		other, err := b.Authorize("other", "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.NewAdapters(t.Context(), other, &wire.AdaptersRequest{Tracks: []wire.AdapterTrack{ingest("c", "app")}}); err != nil {
			t.Fatal(err)
		}
		if report := b.Reset("app"); report.Adapters != 2 {
			t.Errorf("%+v", report)
		}
		synctest.Wait()
		if got := b.shown(); !slices.Equal(got, []string{"local a closed", "local b closed", "local c open"}) && !slices.Equal(got, []string{"local b closed", "local a closed", "local c open"}) {
			t.Errorf("the state shows %q", got)
		}
		if report := b.Reset(""); report.Adapters != 1 || !slices.Equal(report.Apps, []string{"other"}) {
			t.Errorf("%+v", report)
		}
		if how := f.last().how(); how != "Close" {
			t.Errorf("ended by %s", how)
		}
	})
}

func TestTheEndOfTheRegistryEndsAdapters(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, f *fakeAdapters) {
		b.adapters(ingest("a", "app"))
		dialling := begin(func() (*wire.AdaptersResponse, error) {
			return b.NewAdapters(t.Context(), b.app, &wire.AdaptersRequest{Tracks: []wire.AdapterTrack{ingest("b", "silent")}})
		})
		if got := b.shown(); !slices.Equal(got, []string{"local a open", "local b dialling"}) {
			t.Errorf("the state shows %q", got)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !dialling.over() || dialling.out.Status() != 503 {
			t.Errorf("%+v, %v", dialling.out, dialling.err)
		}
		for _, a := range f.made {
			if a.how() != "Shutdown" {
				t.Errorf("%s ended by %s", a.plan.Endpoint, a.how())
			}
		}
		wantAdapters(t, b.adapters(ingest("late", "app")), 503, "late internal_error")
	})
}

// TestAClientThatGoesAwayLeavesNoAdapter: it would never learn the ids.
func TestAClientThatGoesAwayLeavesNoAdapter(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, f *fakeAdapters) {
		ctx, cancel := context.WithCancel(t.Context())
		request := begin(func() (*wire.AdaptersResponse, error) {
			return b.NewAdapters(ctx, b.app, &wire.AdaptersRequest{Tracks: []wire.AdapterTrack{ingest("a", "app"), ingest("b", "silent")}})
		})
		cancel()
		synctest.Wait()
		if !request.over() || request.err == nil {
			t.Errorf("%+v, %v", request.out, request.err)
		}
		for _, line := range b.shown() {
			if !strings.HasSuffix(line, "closed") {
				t.Errorf("the state shows %s", line)
			}
		}
		if n := len(b.allSessions()); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

func TestContractsBeforeAdaptersWereGenerallyAvailable(t *testing.T) {
	for day, want := range map[string]struct {
		retry     time.Duration
		closed    string
		sessionID bool
	}{
		"":           {15 * time.Second, "", false},
		"2026-09-30": {15 * time.Second, "", false},
		"2026-09-29": {5 * time.Second, "adapter_not_found", true},
		"2026-05-29": {5 * time.Second, "adapter_not_found", true},
		"2026-05-28": {0, "adapter_not_found", true},
	} {
		contract, err := ParseContract(day)
		if err != nil {
			t.Fatal(err)
		}
		inAdapterBench(t, Config{Contract: contract}, func(t *testing.T, b *bench, f *fakeAdapters) {
			id := b.publisher("cam")
			item := b.adapters(egress(id, "cam", "app", "jpeg")).Tracks[0]
			if got := item.SessionID == id; got != want.sessionID {
				t.Errorf("%q: the result has the sessionId %q", day, item.SessionID)
			}
			if got := f.last().plan.Limits().Retry; got != want.retry {
				t.Errorf("%q: a lost socket is retried for %v", day, got)
			}
			b.closeAdapters(item.AdapterID)
			again := b.closeAdapters(item.AdapterID)
			if got := again.Tracks[0].ErrorCode; got != want.closed || (again.Status() == 503) != (want.closed != "") {
				t.Errorf("%q: closing again gives %d %q", day, again.Status(), got)
			}
			if why := again.Explanations(); want.closed != "" && !slices.Equal(rulesOf(why), []string{"ADP-8"}) {
				t.Errorf("explained as %q", why)
			}
		})
	}
	inAdapterBench(t, Config{Rules: Rules{AdapterRetry: 3 * time.Second}, Contract: Contract{time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}},
		func(t *testing.T, b *bench, f *fakeAdapters) {
			b.adapters(egress(b.publisher("cam"), "cam", "app", "jpeg"))
			if got := f.last().plan.Limits().Retry; got != 3*time.Second {
				t.Errorf("a rule that was set becomes %v", got)
			}
			if err := b.SetRule("adapter-retry", "4s"); err != nil || f.last().plan.Limits().Retry != 4*time.Second {
				t.Errorf("changed it becomes %v, %v", f.last().plan.Limits().Retry, err)
			}
		})
}

func TestIDsOfClosedAdaptersAreForgottenAtLast(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, _ *fakeAdapters) {
		var first string
		for i := range maxClosedAdapters + 1 {
			id := b.adapters(ingest("a", "app")).Tracks[0].AdapterID
			b.closeAdapters(id)
			synctest.Wait()
			if i == 0 {
				first = id
			}
		}
		if out := b.closeAdapters(first); out.Tracks[0].ErrorCode != "adapter_not_found" {
			t.Errorf("%+v", out.Tracks)
		}
		if n := len(b.shown()); n != shownClosedAdapters {
			t.Errorf("%d closed ones are shown", n)
		}
	})
}

func TestFaultsOfAdapterCalls(t *testing.T) {
	p := &plannedFaults{next: map[string]Fault{}}
	inAdapterBench(t, Config{Faults: p}, func(t *testing.T, b *bench, f *fakeAdapters) {
		p.plan(OpNewAdapters, Fault{Error: onPurpose(wire.BackendFailed)})
		_, err := b.NewAdapters(t.Context(), b.app, &wire.AdaptersRequest{Tracks: []wire.AdapterTrack{ingest("a", "app")}})
		wantProblem(t, err, wire.BackendFailed)
		if len(f.made) != 0 {
			t.Error("an adapter was made")
		}
		p.plan(OpNewAdapters, Fault{Items: map[int]*wire.Error{1: onPurpose(wire.AdapterHandshake)}})
		wantAdapters(t, b.adapters(ingest("a", "app"), ingest("b", "app")), 200, "a", "b websocket_handshake_failed")
		if len(f.made) != 1 {
			t.Errorf("%d adapters were made", len(f.made))
		}
		p.plan(OpNewAdapters, Fault{After: true, Items: map[int]*wire.Error{0: onPurpose(wire.AdapterTimeout)}})
		out := b.adapters(ingest("c", "app"))
		wantAdapters(t, out, 503, "c websocket_connection_timeout")
		if len(f.made) != 2 || f.last().how() != "" {
			t.Error("a fault after the effect undoes it")
		}
		id := b.adapters(ingest("d", "app")).Tracks[0].AdapterID
		p.plan(OpCloseAdapters, Fault{Items: map[int]*wire.Error{0: onPurpose(wire.Internal)}})
		if out := b.closeAdapters(id); out.Tracks[0].ErrorCode != "internal_error" || f.last().how() != "" {
			t.Errorf("%+v", out.Tracks)
		}
		p.plan(OpCloseAdapters, Fault{After: true, Error: onPurpose(wire.RetryLater)})
		_, err = b.CloseAdapters(t.Context(), b.app, &wire.CloseAdaptersRequest{Tracks: []wire.CloseAdapter{{AdapterID: id}}})
		wantProblem(t, err, wire.RetryLater)
		if f.last().how() != "Close" {
			t.Error("nothing was closed")
		}
		p.plan(OpNewAdapters, Fault{Delay: time.Second})
		delayed := begin(func() (*wire.AdaptersResponse, error) {
			return b.NewAdapters(t.Context(), b.app, &wire.AdaptersRequest{Tracks: []wire.AdapterTrack{ingest("e", "app")}})
		})
		if delayed.over() {
			t.Error("it is not held up")
		}
		b.jump(time.Second)
		if !delayed.over() || delayed.err != nil {
			t.Errorf("%+v, %v", delayed.out, delayed.err)
		}
	})
}

func TestSnapshotOfAnAdapter(t *testing.T) {
	inAdapterBench(t, Config{}, func(t *testing.T, b *bench, f *fakeAdapters) {
		id := b.publisher("cam")
		b.adapters(egress(id, "cam", "app", "jpeg"))
		a := f.last()
		a.mu.Lock()
		a.info = AdapterInfo{Messages: 3, Bytes: 30, Dropped: 1, Reconnects: 2, Buffered: 1500 * time.Millisecond, LastError: "why", Ended: "because", RetryUntil: b.clock.Now().Add(9 * time.Second)}
		a.mu.Unlock()
		got := b.Snapshot().Apps[0].Adapters[0]
		if got.SessionID != id || got.Codec != "jpeg" || got.Frames != 3 || got.Bytes != 30 || got.Dropped != 1 || got.Reconnects != 2 ||
			got.Buffered != "1.5s" || got.RetryLeft != "9s" || got.LastError != "why" || got.Ended != "because" || strings.Contains(got.Endpoint, "canary") {
			t.Errorf("%+v", got)
		}
		made := b.adapters(ingest("speech", "app")).Tracks[0]
		for _, s := range b.Snapshot().Apps[0].Sessions {
			if want := map[string]string{id: "", made.SessionID: made.AdapterID}[s.ID]; s.AdapterID != want {
				t.Errorf("session %s has the adapter %q", s.ID, s.AdapterID)
			}
		}
	})
}
