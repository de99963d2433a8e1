package fault

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

func index(i int) *int { return &i }

func mustAdd(t *testing.T, s *Set, r Rule) Status {
	t.Helper()
	status, err := s.Add(r)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// hitsOf tells which of n equal calls fail as a whole.
func hitsOf(s *Set, c Call, n int) (hit []int) {
	for i := range n {
		if s.Match(c).Error != nil {
			hit = append(hit, i+1)
		}
	}
	return hit
}

func TestRuleHitsFromTheNthCallAsOftenAsItSays(t *testing.T) {
	for _, c := range []struct {
		name string
		rule Rule
		want []int
	}{
		{"every call", Rule{}, []int{1, 2, 3, 4, 5}},
		{"one", Rule{Count: 1}, []int{1}},
		{"two from the third", Rule{Nth: 3, Count: 2}, []int{3, 4}},
		{"all from the fourth", Rule{Nth: 4}, []int{4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSet()
			c.rule.Code = "internal_error"
			mustAdd(t, s, c.rule)
			if got := hitsOf(s, Call{Operation: "renegotiate"}, 5); !slices.Equal(got, c.want) {
				t.Errorf("hit calls %v, want %v", got, c.want)
			}
			if status := s.List()[0]; status.Matched != 5 || status.Hit != len(c.want) {
				t.Errorf("counted %+v", status)
			}
		})
	}
}

func TestRuleHitsOnlyWhatItNames(t *testing.T) {
	call := Call{App: "a", Session: "s", Key: "k", Account: "c", Operation: newTracks, Items: 2} // no call has all of it
	for _, c := range []struct {
		name string
		rule Rule
		hit  bool
	}{
		{"all of it", Rule{App: "a", Session: "s", Operation: newTracks}, true},
		{"another app", Rule{App: "b"}, false},
		{"another session", Rule{Session: "t"}, false},
		{"the key", Rule{Key: "k"}, true},
		{"another key", Rule{Key: "l"}, false},
		{"the account", Rule{Account: "c"}, true},
		{"the app of the account", Rule{Account: "c", App: "a"}, true},
		{"the key of the account", Rule{Account: "c", Key: "k"}, true},
		{"another account", Rule{Account: "d"}, false},
		{"another operation", Rule{Operation: "closeTracks"}, false},
		{"the last item", Rule{Item: index(1)}, true},
		{"an item that is not there", Rule{Item: index(2)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSet()
			c.rule.Code = "internal_error"
			mustAdd(t, s, c.rule)
			effect := s.Match(call)
			if hit := effect.Error != nil || len(effect.Items) > 0; hit != c.hit {
				t.Errorf("hit is %t", hit)
			}
			if c.rule.Item != nil && c.hit && effect.Items[*c.rule.Item] == nil {
				t.Errorf("failed items %v", effect.Items)
			}
			if matched := s.List()[0].Matched > 0; matched != c.hit {
				t.Errorf("matched is %t", matched)
			}
		})
	}
}

func TestEveryCodeOfTheCatalogueCanBeAnsweredEitherWay(t *testing.T) {
	for _, row := range wire.Catalogue() {
		if row.OfAccountAPI() {
			continue
		}
		top := Rule{Code: row.Code, Status: row.Status}
		if row.Status == 0 {
			top.Status = 503
		}
		for _, rule := range []Rule{top, {Code: row.Code, Item: index(0)}} {
			s := NewSet()
			mustAdd(t, s, rule)
			effect := s.Match(Call{Operation: newTracks, Items: 1})
			failure := effect.Error
			if rule.Item != nil {
				failure = effect.Items[0]
			} else if failure.Status != top.Status {
				t.Errorf("%s: status %d, want %d", row.Code, failure.Status, top.Status)
			}
			if e := failure; e.Code != row.Code || strings.Contains(e.Description, "%") || !strings.HasPrefix(e.Explain, "FLT-1: ") {
				t.Errorf("%+v", e)
			}
		}
	}
}

func TestCodesOfTheAccountAPIAreForItsOperations(t *testing.T) {
	for _, row := range wire.Catalogue() {
		if !row.OfAccountAPI() {
			continue
		}
		for _, operation := range []string{"", "renegotiate", "generateIceServers"} {
			if _, err := NewSet().Add(Rule{Code: row.Code, Operation: operation}); err == nil || strings.Count(err.Error(), row.Code) != 1 {
				t.Errorf("%s is taken at %q, or offered: %v", row.Code, operation, err)
			}
		}
		s := NewSet()
		if _, err := s.Add(Rule{Code: row.Code, Operation: "deleteTurnKey"}); strings.Contains(row.Text, "%") {
			if err == nil {
				t.Errorf("%s, whose text has blanks, is taken", row.Code)
			}
		} else if err != nil {
			t.Error(err)
		} else if e := s.Match(Call{Operation: "deleteTurnKey"}).Error; e.Status != row.Status || e.Description != row.Text {
			t.Errorf("%s: %+v", row.Code, e)
		}
	}
	mustAdd(t, NewSet(), Rule{Code: "retryable_transient_error", Status: 429, Operation: "listApps"})
}

func TestSeedRepeatsTheDraws(t *testing.T) {
	draw := func(seed uint64) ([]int, uint64) {
		s := NewSet()
		status := mustAdd(t, s, Rule{Code: "internal_error", Probability: 0.5, Seed: seed})
		return hitsOf(s, Call{}, 200), status.Rule.Seed
	}
	first, seed := draw(0)
	if seed == 0 || len(first) < 60 || len(first) > 140 {
		t.Fatalf("seed %d hit %d of 200", seed, len(first))
	}
	if again, _ := draw(seed); !slices.Equal(first, again) {
		t.Errorf("seed %d hit %v, then %v", seed, first, again)
	}
	if other, _ := draw(seed + 1); slices.Equal(first, other) {
		t.Error("another seed hit the same calls")
	}
}

func TestDelaysAddUpAndTheOldestFailureCounts(t *testing.T) {
	s := NewSet()
	mustAdd(t, s, Rule{Delay: time.Second})
	mustAdd(t, s, Rule{Delay: time.Second, Code: "track_error", Item: index(0)})
	mustAdd(t, s, Rule{Code: "internal_error", Item: index(0)})
	whole := mustAdd(t, s, Rule{Code: "payload_too_large"})
	unseen := mustAdd(t, s, Rule{Code: "unauthorized", Count: 1})
	effect := s.Match(Call{Operation: newTracks, Items: 1})
	if effect.Delay != 2*time.Second || effect.Error.Code != "payload_too_large" || effect.Items[0].Code != "track_error" {
		t.Errorf("got %+v", effect)
	}
	if status := s.List()[4]; status.ID != unseen.ID || status.Matched != 0 {
		t.Errorf("a rule behind the one that failed the call has seen it: %+v", status)
	}
	if !s.Remove(whole.ID) || s.Remove(whole.ID) {
		t.Error("Remove does not tell whether there was a rule")
	}
	if effect := s.Match(Call{}); effect.Error == nil || effect.Error.Code != "unauthorized" {
		t.Errorf("after Remove: %+v", effect)
	}
}

func TestOneCallFailsOnOneSideOfItsEffect(t *testing.T) {
	s := NewSet()
	mustAdd(t, s, Rule{Code: "track_error", Item: index(1), When: After})
	mustAdd(t, s, Rule{Code: "internal_error", Count: 1})
	call := Call{Operation: newTracks, Items: 2}
	if effect := s.Match(call); !effect.After || effect.Items[1] == nil || effect.Error != nil {
		t.Errorf("got %+v", effect)
	}
	s.Remove("fault-1")
	if effect := s.Match(call); effect.After || effect.Error == nil {
		t.Errorf("the rule of the other side was used up: %+v", effect)
	}
}

func TestSilenceIsForPublishingCalls(t *testing.T) {
	s := NewSet()
	mustAdd(t, s, Rule{Silent: time.Second, App: "a"})
	mustAdd(t, s, Rule{Silent: time.Hour, When: Now})
	for _, c := range []struct {
		call Call
		want time.Duration
	}{
		{Call{App: "a", Operation: newTracks}, time.Second},
		{Call{App: "b", Operation: newTracks}, 0},
		{Call{App: "a", Operation: "renegotiate"}, 0},
	} {
		got := s.Match(c.call)
		if c.want == 0 && len(got.Silences) == 0 {
			continue
		}
		if len(got.Silences) != 1 || got.Silences[0].For != c.want || got.Error != nil {
			t.Errorf("%+v: got %+v", c.call, got)
		}
	}
}

func TestSilenceOfLiveTracksIsTakenOnceAndEndsWithItsRule(t *testing.T) {
	s := NewSet()
	mustAdd(t, s, Rule{Silent: time.Second, Track: "cam", When: Now, Session: "s"})
	mustAdd(t, s, Rule{Silent: time.Second})
	var taken Silence
	if got, ok := s.Now("fault-1", func(x Silence) int { taken = x; return 3 }); !ok || got.Hit != 3 || got.Matched != 3 {
		t.Errorf("got %+v %v", got, ok)
	}
	if taken.For != time.Second || taken.Track != "cam" {
		t.Errorf("taken %+v", taken)
	}
	if got, ok := s.Now("fault-2", func(Silence) int { return 7 }); !ok || got.Hit != 0 {
		t.Errorf("a rule for calls took %+v", got)
	}
	select {
	case <-taken.Ended:
		t.Error("ended before its rule")
	default:
	}
	s.Clear()
	<-taken.Ended
	if _, ok := s.Now("fault-1", nil); ok {
		t.Error("the rule is still there")
	}
}

func TestRuleThatMakesNoSenseIsRefusedWithTheReason(t *testing.T) {
	for want, rule := range map[string]Rule{
		"nothing would happen":            {},
		"no error code is called":         {Code: "oops"},
		"several statuses":                {Code: "session_error"},
		"does not come with status 418":   {Code: "session_error", Status: 418},
		"is an item's code":               {Code: "not_found_track_error"},
		"an item has no status":           {Code: "session_error", Status: 410, Item: index(0)},
		"items are counted from 0":        {Code: "internal_error", Item: index(-1)},
		"has no items":                    {Code: "internal_error", Item: index(0), Operation: "renegotiate"},
		"no operation is called":          {Code: "internal_error", Operation: "tracks"},
		"renegotiate names no TURN key":   {Code: "internal_error", Key: "k", Operation: "renegotiate"},
		"listTurnKeys names no TURN key":  {Code: "internal_error", Key: "k", Operation: "listTurnKeys"},
		"generateIceServers names no acc": {Code: "internal_error", Account: "a", Operation: "generateIceServers"},
		"createApp names no app":          {Code: "403", App: "a", Operation: "createApp"},
		"listApps names no app":           {Delay: 1, App: "a", Operation: "listApps"},
		"getTurnKey names no app":         {Delay: 1, App: "a", Operation: "getTurnKey"},
		"revokeCredential names no app":   {Delay: 1, App: "a", Operation: "revokeCredential"},
		"newAdapters names no session":    {Delay: 1, Session: "s", Operation: "newAdapters"},
		"deleteApp names no session; lea": {Delay: 1, Session: "s", Operation: "deleteApp"},
		"generateCredentials names no se": {Delay: 1, Session: "s", Operation: "generateCredentials"},
		"a call with app names no TURN k": {Delay: 1, App: "a", Key: "k"},
		"a call with app and session nam": {Delay: 1, App: "a", Session: "s", Account: "c"},
		"a call with key has no items":    {Code: "internal_error", Key: "k", Item: index(0)},
		"newTracks names no TURN key; le": {Silent: 1, Key: "k"},
		"session and track to choose":     {Silent: 1, When: Now, Key: "k"},
		"use before or after":             {Code: "internal_error", When: "during"},
		"calls are counted from 1":        {Code: "internal_error", Nth: -1},
		"how many calls":                  {Code: "internal_error", Count: -1},
		"between 0 and 1":                 {Code: "internal_error", Probability: 1.1},
		"is negative":                     {Code: "internal_error", Delay: -1},
		"item, status and subcode need":   {Delay: 1, Subcode: wire.Subcodes[0]},
		"backend_error has no subcodes":   {Code: "backend_error", Subcode: wire.Subcodes[0]},
		"an item has no subcode":          {Code: "signaling_state_not_stable", Item: index(0), Subcode: wire.Subcodes[0]},
		"no subcode is called":            {Code: "signaling_state_not_stable", Status: 406, Subcode: "oops"},
		"need a code":                     {Delay: 1, Item: index(0)},
		"either code or silent":           {Silent: 1, Code: "internal_error"},
		"tracks that are published":       {Silent: 1, Operation: "renegotiate"},
		"track is about silent":           {Code: "internal_error", Track: "cam"},
		"silences tracks that are live":   {Silent: 1, When: Now, Operation: newTracks},
		"to choose them":                  {Code: "internal_error", When: Now},
	} {
		s := NewSet()
		if _, err := s.Add(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", rule, err, want)
		}
		if len(s.List()) != 0 {
			t.Errorf("%+v was taken in", rule)
		}
	}
}

func TestRulesAreForgottenByAppOrAll(t *testing.T) {
	s := NewSet()
	for _, app := range []string{"a", "b", ""} {
		mustAdd(t, s, Rule{App: app, Code: "internal_error"})
	}
	if n := s.RemoveApp("a"); n != 1 || len(s.List()) != 2 {
		t.Errorf("removed %d of app a, %d are left", n, len(s.List()))
	}
	if n := s.Clear(); n != 2 || len(s.List()) != 0 {
		t.Errorf("cleared %d, %d are left", n, len(s.List()))
	}
}
