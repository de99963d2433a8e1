package layers

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	epoch = time.Unix(1_700_000_000, 0)
	three = []Layer{{"f", true, 1_500_000}, {"h", true, 500_000}, {"q", true, 150_000}}
)

func with(list []Layer, rid string, alive bool) []Layer {
	out := slices.Clone(list)
	for i := range out {
		if out[i].RID == rid {
			out[i].Alive = alive
		}
	}
	return out
}

// TestSelectionTable is contract 3.5 row by row, without bandwidth.
func TestSelectionTable(t *testing.T) {
	for _, c := range []struct {
		name string
		want Selection
		list []Layer
		rid  string
		ok   bool
	}{
		{"no wish: the first in a..z", Selection{}, three, "f", true},
		{"no wish, first dead: the first alive", Selection{}, with(three, "f", false), "h", true},
		{"preferred", Selection{PreferredRID: "q"}, three, "q", true},
		{"preferred stopped, none: nothing", Selection{PreferredRID: "h"}, with(three, "h", false), "", false},
		{"preferred unknown, none: nothing", Selection{PreferredRID: "x"}, three, "", false},
		{"preferred stopped, asciibetical: the next", Selection{PreferredRID: "f", FallOnMissing: true}, with(three, "f", false), "h", true},
		{"unknown between two, asciibetical: the next", Selection{PreferredRID: "g", FallOnMissing: true}, three, "h", true},
		{"unknown behind the last, asciibetical: from the start", Selection{PreferredRID: "z", FallOnMissing: true}, three, "f", true},
		{"all stopped", Selection{PreferredRID: "f", FallOnMissing: true}, nil, "", false},
		{"bytes, not letters: Z before a", Selection{}, []Layer{{"a", true, 1}, {"Z", true, 1}}, "Z", true},
	} {
		var s Selector
		s.Want(c.want)
		if rid, ok := s.Choose(epoch, slices.Clone(c.list), Estimate{}); rid != c.rid || ok != c.ok {
			t.Errorf("%s: got %q %v, want %q %v", c.name, rid, ok, c.rid, c.ok)
		}
	}
}

func TestWithoutWishTheLayerStaysWhenABetterOneAppears(t *testing.T) {
	var s Selector
	s.Choose(epoch, []Layer{{"h", true, 1}}, Estimate{})
	if rid, _ := s.Choose(epoch.Add(time.Second), slices.Clone(three), Estimate{}); rid != "h" {
		t.Fatalf("moved to %q", rid)
	}
}

func TestPriorityNoneIgnoresBandwidth(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f"})
	for i := range 100 {
		if rid, _ := s.Choose(epoch.Add(time.Duration(i)*time.Second), slices.Clone(three), Estimate{Bitrate: 1000}); rid != "f" {
			t.Fatalf("went to %q after %d s", rid, i)
		}
	}
}

// run asks every 100 ms and returns what was chosen.
func run(s *Selector, from time.Time, d time.Duration, e Estimate) (last string, changes int, end time.Time) {
	for end = from; end.Before(from.Add(d)); end = end.Add(100 * time.Millisecond) {
		rid, _ := s.Choose(end, slices.Clone(three), e)
		if last != "" && rid != last {
			changes++
		}
		last = rid
	}
	return last, changes, end
}

func TestAFixedEstimateFallsToWhatFitsAndComesBack(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	last, _, now := run(&s, epoch, time.Second, Estimate{})
	if last != "f" {
		t.Fatalf("began with %q", last)
	}
	last, changes, now := run(&s, now, 10*time.Second, Estimate{Bitrate: 300_000, Fixed: true})
	if last != "q" || changes != 1 {
		t.Fatalf("at 300 kbit/s: %q after %d changes, want q after 1", last, changes)
	}
	if last, _, _ = run(&s, now, 3*time.Second, Estimate{Bitrate: 5_000_000, Fixed: true}); last != "f" {
		t.Fatalf("the limit is gone and it still sends %q", last)
	}
}

// TestALayerThatStuttersIsNoRoom: a larger layer whose publisher pauses for a moment measures small, and does not fit all the
// same.
func TestALayerThatStuttersIsNoRoom(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	_, _, now := run(&s, epoch, 3*time.Second, Estimate{Bitrate: 300_000, Fixed: true})
	for i := range 200 {
		list := slices.Clone(three)
		if i%10 < 8 {
			list[1].Bitrate = 100_000
		}
		if rid, _ := s.Choose(now.Add(time.Duration(i)*100*time.Millisecond), list, Estimate{Bitrate: 300_000, Fixed: true}); rid != "q" {
			t.Fatalf("went up to %q", rid)
		}
	}
}

func TestOneLowEstimateIsNoise(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	_, _, now := run(&s, epoch, time.Second, Estimate{Bitrate: 9_000_000})
	_, changes, now := run(&s, now, 300*time.Millisecond, Estimate{Bitrate: 100_000})
	last, more, _ := run(&s, now, time.Second, Estimate{Bitrate: 9_000_000})
	if last != "f" || changes+more != 0 {
		t.Fatalf("%q after %d changes", last, changes+more)
	}
}

// TestTrialsBackOff gives an estimate that follows what is sent, on a link that carries 300 kbit/s: each trial runs short,
// and the next comes later.
func TestTrialsBackOff(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	var trials []time.Time
	current := "f"
	for now := epoch; now.Before(epoch.Add(3 * time.Minute)); now = now.Add(100 * time.Millisecond) {
		e := Estimate{Bitrate: 300_000}
		if current == "q" {
			e.Bitrate = 220_000 // what arrives, and half as much again
		}
		rid, _ := s.Choose(now, slices.Clone(three), e)
		if current == "q" && rid != "q" {
			trials = append(trials, now)
		}
		current = rid
	}
	if len(trials) < 3 || len(trials) > 7 {
		t.Fatalf("%d trials in 3 minutes", len(trials))
	}
	for i := 2; i < len(trials); i++ {
		if before, gap := trials[i-1].Sub(trials[i-2]), trials[i].Sub(trials[i-1]); gap < before {
			t.Errorf("trial %d came after %s, the one before after %s", i, gap, before)
		}
	}
}

func TestATrialThatHoldsGoesOnUp(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	_, _, now := run(&s, epoch, 5*time.Second, Estimate{Bitrate: 160_000})
	for end := now.Add(30 * time.Second); now.Before(end); now = now.Add(100 * time.Millisecond) {
		rid, _ := s.Choose(now, slices.Clone(three), Estimate{Bitrate: map[string]uint64{"q": 220_000, "h": 750_000, "f": 2_200_000}[s.current]})
		if rid == "f" {
			return
		}
	}
	t.Fatalf("still on %q after 30 s without shortage", s.current)
}

// chromium is an estimate as Chromium makes it on a free link: once a second it grows by 8 %, to no more than one and a half
// times what arrives.
func chromium(bitrate uint64, rid string) uint64 {
	for _, l := range three {
		if l.RID == rid {
			return max(bitrate, min(bitrate*108/100, l.Bitrate*3/2))
		}
	}
	return bitrate
}

func TestAnEstimateThatIsBehindAndRisesIsNoShortage(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	_, _, now := run(&s, epoch, 2*time.Second, Estimate{Bitrate: 100_000, Fixed: true})
	e, path := uint64(100_000), []string{"q"}
	for end := now.Add(time.Minute); now.Before(end); now = now.Add(time.Second) {
		e = chromium(e, s.current)
		for tick := range 10 {
			if rid, _ := s.Choose(now.Add(time.Duration(tick)*100*time.Millisecond), slices.Clone(three), Estimate{Bitrate: e}); rid != path[len(path)-1] {
				path = append(path, rid)
			}
		}
	}
	if !slices.Equal(path, []string{"q", "h", "f"}) {
		t.Fatalf("went %v", path)
	}
}

func TestATrialEndsWhenTheEstimateFallsOrStalls(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(second int) uint64
		last  int // seconds by which it must be over
	}{
		{"falls", func(second int) uint64 { return 300_000 - uint64(second)*20_000 }, 2},
		{"stalls", func(int) uint64 { return 300_000 }, 4},
		{"rises, then stalls", func(second int) uint64 { return 300_000 + uint64(min(second, 6))*10_000 }, 10},
	} {
		var s Selector
		s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
		_, _, now := run(&s, epoch, 2*time.Second, Estimate{Bitrate: 200_000, Fixed: true})
		last := "q"
		for last == "q" {
			last, _, now = run(&s, now, 100*time.Millisecond, Estimate{Bitrate: 225_000})
		}
		for second := range c.last {
			last, _, now = run(&s, now, time.Second, Estimate{Bitrate: c.after(second)})
		}
		if last != "q" {
			t.Errorf("%s: still %q after %d s", c.name, last, c.last)
		}
	}
}

// remb is what a receiver of libwebrtc says of a link of that many bits a second, while the layer of that rate is sent: it
// grows by 8 % a second up to half as much again as arrives, and is 85 % of what arrives where that is all the link carries.
func remb(estimate, sent, link float64, dt time.Duration) float64 {
	arrives := min(sent, link)
	if sent > link {
		return min(estimate, 0.85*arrives)
	}
	if most := 1.5*arrives + 10_000; estimate < most {
		estimate = min(most, estimate*(1+0.08*dt.Seconds()))
	}
	return estimate
}

// TestAnEstimateThatGrowsSlowlyIsWaitedFor: between two layers of which one is four times the other, the estimate of a free
// link needs many seconds to cover the larger. A trial that was judged by its first half second never went up at all.
func TestAnEstimateThatGrowsSlowlyIsWaitedFor(t *testing.T) {
	var s Selector
	s.Want(Selection{PreferredRID: "f", FallOnBandwidth: true})
	const step = 100 * time.Millisecond
	rates := map[string]float64{"f": 1_500_000, "h": 500_000, "q": 150_000}
	now, estimate, current := epoch, 3_000_000.0, "f"
	pass := func(d time.Duration, link float64) (on map[string]time.Duration, trials int) {
		on = map[string]time.Duration{}
		for end := now.Add(d); now.Before(end); now = now.Add(step) {
			estimate = remb(estimate, rates[current], link, step)
			rid, _ := s.Choose(now, slices.Clone(three), Estimate{Bitrate: uint64(estimate)})
			if rid < current {
				trials++
			}
			current = rid
			on[current] += step
		}
		return on, trials
	}
	if pass(5*time.Second, 300_000); current != "q" {
		t.Fatalf("a link of 300 kbit/s is on %q", current)
	}
	if on, trials := pass(2*time.Minute, 300_000); trials < 2 || trials > 6 || on["q"] < 100*time.Second || on["f"] > 0 {
		t.Errorf("a link of 300 kbit/s: %v, %d trials", on, trials)
	}
	pass(time.Minute, 20_000_000) // the next trial may be a minute away
	if on, trials := pass(time.Minute, 20_000_000); current != "f" || on["f"] < 30*time.Second || trials > 2 {
		t.Errorf("the free link is on %q after %v, %d trials", current, on, trials)
	}
	if on, _ := pass(time.Minute, 20_000_000); on["f"] != time.Minute {
		t.Errorf("later: %v", on)
	}
}

func FuzzSelector(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 4, 5})
	f.Fuzz(func(t *testing.T, script []byte) {
		var s Selector
		now := epoch
		list := slices.Clone(three)
		for _, b := range script {
			switch b % 4 {
			case 0:
				s.Want(Selection{PreferredRID: string(rune('a' + b%26)), FallOnBandwidth: b&64 != 0, FallOnMissing: b&32 != 0})
			case 1:
				list[int(b)/4%3].Alive = b&128 != 0
			case 2:
				now = now.Add(time.Duration(b) * 50 * time.Millisecond)
			}
			rid, ok := s.Choose(now, slices.Clone(list), Estimate{Bitrate: uint64(b) * 10_000, Fixed: b&16 != 0})
			check(t, s.want, list, rid, ok)
		}
	})
}

func TestChoiceIsAlwaysAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Selector
		now := epoch
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "new wish") == 0 {
				s.Want(Selection{rapid.SampledFrom([]string{"", "f", "h", "q", "x"}).Draw(t, "rid"), rapid.Bool().Draw(t, "bandwidth"), rapid.Bool().Draw(t, "missing")})
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			list := slices.Clone(three)
			for i := range list {
				list[i].Alive = rapid.Bool().Draw(t, "alive")
			}
			rid, ok := s.Choose(now, slices.Clone(list), Estimate{uint64(rapid.IntRange(0, 3_000_000).Draw(t, "bps")), rapid.Bool().Draw(t, "fixed")})
			check(t, s.want, list, rid, ok)
		}
	})
}

// check holds a choice against the table of contract 3.5.
func check(t interface{ Fatalf(string, ...any) }, want Selection, list []Layer, rid string, ok bool) {
	if !ok {
		if rid != "" {
			t.Fatalf("nothing, and yet %q", rid)
		}
		return
	}
	l := find(list, rid)
	switch {
	case l == nil:
		t.Fatalf("%q does not exist", rid)
	case !l.Alive && want.PreferredRID != "":
		t.Fatalf("%q is dead", rid)
	case want.PreferredRID != "" && !want.FallOnMissing && !want.FallOnBandwidth && rid != want.PreferredRID:
		t.Fatalf("%q instead of %q without leave", rid, want.PreferredRID)
	}
}
