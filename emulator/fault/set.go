package fault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

// Call is what rules are compared with.
type Call struct {
	App       string
	Session   string
	Key       string
	Account   string
	Operation string
	Items     int
}

// Effect is what rules make of one call. The zero value is a call that runs as ever.
type Effect struct {
	After    bool          // delay and errors come after the call's effect
	Delay    time.Duration // on the emulator's clock
	Error    *wire.Error   // of the whole call
	Items    map[int]*wire.Error
	Silences []Silence // of tracks that the call publishes
}

// Silence makes published tracks carry nothing.
type Silence struct {
	Track string          // the name; empty means every one
	For   time.Duration   // on the emulator's clock
	Ended <-chan struct{} // closed when its rule is removed
}

// Status is a rule with what has become of it.
type Status struct {
	ID      string
	Rule    Rule // with its defaults and its seed
	Matched int  // calls
	Hit     int
}

// Set holds rules. It may be used concurrently.
type Set struct {
	mu    sync.Mutex
	made  int
	rules []*entry // in the order in which they were added
}

type entry struct {
	Status
	row   wire.Row
	draw  *rand.Rand
	ended chan struct{} // closed when the rule is removed
}

func (e *entry) silence() Silence { return Silence{e.Rule.Track, e.Rule.Silent, e.ended} }

// NewSet makes an empty Set.
func NewSet() *Set { return &Set{} }

// Add checks a rule and takes it in. The answer has the id by which Remove knows it, and the seed.
func (s *Set) Add(r Rule) (Status, error) {
	r, err := r.check()
	if err != nil {
		return Status{}, err
	}
	for r.Seed == 0 {
		r.Seed = rand.Uint64() >> 11 // a number that JSON's readers keep exactly
	}
	e := &entry{Status: Status{Rule: r}, draw: rand.New(rand.NewPCG(r.Seed, 0)), ended: make(chan struct{})}
	if r.Code != "" {
		if e.row, err = r.row(); err != nil {
			return Status{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	e.ID = "fault-" + strconv.Itoa(s.made)
	s.rules = append(s.rules, e)
	return e.Status, nil
}

// Remove forgets the rule of that id and reports whether there was one.
func (s *Set) Remove(id string) bool {
	return s.remove(func(e *entry) bool { return e.ID == id }) > 0
}

// RemoveApp forgets the rules that name this app, and returns how many there were.
func (s *Set) RemoveApp(app string) int {
	return s.remove(func(e *entry) bool { return e.Rule.App == app })
}

// Clear forgets every rule and returns how many there were.
func (s *Set) Clear() int { return s.remove(func(*entry) bool { return true }) }

func (s *Set) remove(which func(*entry) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.rules)
	s.rules = slices.DeleteFunc(s.rules, func(e *entry) bool {
		gone := which(e)
		if gone {
			close(e.ended)
		}
		return gone
	})
	return before - len(s.rules)
}

// Now carries out a rule that means what is live at present: take silences that, and returns how many tracks it was. For
// every other rule it does nothing.
func (s *Set) Now(id string, take func(Silence) int) (Status, bool) {
	s.mu.Lock()
	i := slices.IndexFunc(s.rules, func(e *entry) bool { return e.ID == id })
	if i < 0 {
		s.mu.Unlock()
		return Status{}, false
	}
	e := s.rules[i]
	rule := e.Rule
	s.mu.Unlock()
	hit := 0
	if rule.When == Now {
		hit = take(e.silence())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Matched += hit
	e.Hit += hit
	return e.Status, true
}

// List shows every rule, oldest first.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, len(s.rules))
	for i, e := range s.rules {
		list[i] = e.Status
	}
	return list
}

// Match asks every rule about a call, oldest first. Delays add up; of several failures of one item the oldest rule's
// counts. A rule that failed the whole call ends the round, and one that acts on the other side of the effect than the
// first that hit is passed over: neither has seen the call then.
func (s *Set) Match(c Call) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	var effect Effect
	sided := false // effect.After is decided
	for _, e := range s.rules {
		after := e.Rule.When == After
		if e.Rule.When == Now || !e.Rule.matches(c) || (sided && after != effect.After) || !e.hits() {
			continue
		}
		sided, effect.After = true, after
		effect.Delay += e.Rule.Delay
		if e.Rule.Silent > 0 {
			effect.Silences = append(effect.Silences, e.silence())
		}
		switch {
		case e.Rule.Code == "":
		case e.Rule.Item == nil:
			effect.Error = e.fail("the call")
			return effect
		case effect.Items[*e.Rule.Item] == nil:
			if effect.Items == nil {
				effect.Items = map[int]*wire.Error{}
			}
			effect.Items[*e.Rule.Item] = e.fail(fmt.Sprintf("tracks[%d]", *e.Rule.Item))
		}
	}
	return effect
}

func (r Rule) matches(c Call) bool {
	return fits(r.App, c.App) && fits(r.Session, c.Session) && fits(r.Key, c.Key) && fits(r.Account, c.Account) &&
		fits(r.Operation, c.Operation) &&
		(r.Item == nil || *r.Item < c.Items)
}

func fits(want, is string) bool { return want == "" || want == is }

// hits counts a match and decides whether it is one of those that the rule means.
func (e *entry) hits() bool {
	e.Matched++
	if e.Matched < e.Rule.Nth || (e.Rule.Count > 0 && e.Hit >= e.Rule.Count) {
		return false
	}
	if e.Rule.Probability < 1 && e.draw.Float64() >= e.Rule.Probability {
		return false
	}
	e.Hit++
	return true
}

// fail is the rule's answer, explained.
func (e *entry) fail(what string) *wire.Error {
	failure := wire.Refuse(e.row.Problem, "%s failed by rule %s (seed %d, hit %d), %s its effect; DELETE /_emu/faults/%s ends that",
		what, e.ID, e.Rule.Seed, e.Hit, e.Rule.When, e.ID).Under("FLT-1")
	failure.Status, failure.Subcode = e.row.Status, e.Rule.Subcode
	return failure
}
