package conformance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Suite is a choice of cases, a target and what is to be done with them. Both `go test` and the command run its plan.
type Suite struct {
	Target Target // as Probe gives it
	Cases  []Case // nil means all
	// Pattern chooses the cases whose id it matches somewhere; nil means all.
	Pattern *regexp.Regexp
	// Parallel is how many cases run beside each other, and how many more wait for timeouts in real time; 0 means DefaultParallel.
	Parallel int
	// Own makes a target like Target, and ends it, for one case that moves its clock. Without Own such a case has the target to itself.
	Own func(ctx context.Context) (own Target, end func(), err error)
}

// DefaultParallel is more than there are processors: most cases wait most of the time.
const DefaultParallel = 12

// Lane says what may run beside a case.
type Lane int

const (
	// Beside means anything.
	Beside Lane = iota
	// OnePort means anything but others of its kind: they share the one address where Endpoint listens.
	OnePort
	// Alone means nothing.
	Alone
)

// Planned is a case with what the suite is going to do with it.
type Planned struct {
	Case  Case
	Lacks []Need        // why it is left out; nothing if it runs
	Lane  Lane          // what may run beside it
	Waits time.Duration // how long it waits for the target's timeouts, in real time
	own   bool          // it has a target of its own
}

// Plan lists the chosen cases in their order.
func (s Suite) Plan() []Planned {
	cases := s.Cases
	if cases == nil {
		cases = Cases()
	}
	var plan []Planned
	for _, c := range cases {
		if s.Pattern == nil || s.Pattern.MatchString(c.ID) {
			plan = append(plan, s.plan(c))
		}
	}
	return plan
}

func (s Suite) plan(c Case) Planned {
	p := Planned{Case: c, Lacks: c.Lacks(s.Target)}
	if p.Lacks != nil {
		return p
	}
	p.Waits = c.Waits(s.Target)
	movesClock := c.Slow > 0 && p.Waits == 0
	p.own = movesClock && s.Own != nil
	switch {
	case c.Alone || movesClock && !p.own:
		p.Lane = Alone
	case s.Target.Endpoint.Listen != "" && slices.Contains(c.Needs, Endpoints):
		p.Lane = OnePort
	}
	return p
}

// Do runs one planned case now.
func (s Suite) Do(ctx context.Context, p Planned) Result {
	target := s.Target
	if p.own {
		own, end, err := s.Own(ctx)
		if err != nil {
			return Result{Failures: []string{fmt.Sprintf("a target of its own: %v", err)}}
		}
		defer end()
		own.Emulator, own.Has, own.Schema, own.Route = target.Emulator, target.Has, target.Schema, target.Route
		target = own
	}
	return Run(ctx, p.Case, target)
}

// Status is what became of a planned case.
type Status string

// What can become of a planned case. Observed is a case with Observes, and Unfinished what had not begun or was cut off when the
// suite's context ended.
const (
	Passed        Status = "passed"
	Observed      Status = "observed"
	Failed        Status = "failed"
	NotApplicable Status = "not applicable"
	Unfinished    Status = "not finished"
)

// Outcome is a planned case with what became of it.
type Outcome struct {
	Planned
	Status Status
	Begun  time.Duration // since the suite began
	Result Result
}

// Report is what became of a suite.
type Report struct {
	BaseURL  string
	Emulator bool
	Has      []Need
	Begun    time.Time
	Elapsed  time.Duration
	Outcomes []Outcome // in the order of the plan
}

// Count is how many cases have the status.
func (r Report) Count(status Status) int {
	n := 0
	for _, o := range r.Outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}

// Event is a step of a suite that runs: a case begins, or it has ended and Outcome has a Status.
type Event struct {
	Outcome
	Done, Total int // cases that have ended, and that are to run
}

// Run runs the plan: first what wants to be alone, then the rest beside each other. Each event is told, from this goroutine, before
// Run goes on. When ctx ends, cases clean up and Run returns what there is.
func (s Suite) Run(ctx context.Context, tell func(Event)) Report {
	r := Report{BaseURL: s.Target.BaseURL, Emulator: s.Target.Emulator, Has: s.Target.Has, Begun: time.Now()}
	total := 0
	for _, p := range s.Plan() {
		o := Outcome{Planned: p, Status: Unfinished}
		if p.Lacks != nil {
			o.Status = NotApplicable
		} else {
			total++
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	done := 0
	for u := range s.start(ctx, r.Begun, slices.Clone(r.Outcomes)) {
		if !u.begins {
			r.Outcomes[u.index] = u.Outcome
			done++
		}
		tell(Event{Outcome: u.Outcome, Done: done, Total: total})
	}
	r.Elapsed = time.Since(r.Begun)
	return r
}

// update is what a running case sends: with begins at first, then with its Result.
type update struct {
	Outcome
	index  int
	begins bool
}

// start runs the cases; the channel is closed when the last one has ended.
func (s Suite) start(ctx context.Context, begun time.Time, outcomes []Outcome) <-chan update {
	parallel := s.Parallel
	if parallel == 0 {
		parallel = DefaultParallel
	}
	updates := make(chan update)
	one := func(i int) {
		if ctx.Err() != nil {
			return
		}
		o := outcomes[i]
		o.Begun = time.Since(begun)
		o.Status = ""
		updates <- update{o, i, true}
		o.Result, o.Status = s.Do(ctx, o.Planned), Failed
		switch {
		case o.Case.Observes && ctx.Err() != nil:
			o.Status = Unfinished
		case o.Result.Passed() && o.Case.Observes:
			o.Status = Observed
		case o.Result.Passed():
			o.Status = Passed
		case ctx.Err() != nil:
			o.Status = Unfinished
		}
		updates <- update{o, i, false}
	}
	chosen := func(of func(Planned) bool) (indices []int) {
		for i, o := range outcomes {
			if o.Status == Unfinished && of(o.Planned) {
				indices = append(indices, i)
			}
		}
		return indices
	}
	go func() { // Run waits for it by reading until the channel is closed
		defer close(updates)
		for _, i := range chosen(func(p Planned) bool { return p.Lane == Alone }) {
			one(i)
		}
		var beside sync.WaitGroup
		beside.Go(func() {
			bounded(parallel, chosen(func(p Planned) bool { return p.Lane == Beside && p.Waits > 0 }), one)
		})
		beside.Go(func() { bounded(1, chosen(func(p Planned) bool { return p.Lane == OnePort }), one) })
		beside.Go(func() {
			bounded(parallel, chosen(func(p Planned) bool { return p.Lane == Beside && p.Waits == 0 }), one)
		})
		beside.Wait()
	}()
	return updates
}

// bounded calls do for every index, with no more than limit calls at a time, and returns when all have.
func bounded(limit int, indices []int, do func(int)) {
	var running sync.WaitGroup
	free := make(chan struct{}, limit)
	for _, i := range indices {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			do(i)
		})
	}
	running.Wait()
}
