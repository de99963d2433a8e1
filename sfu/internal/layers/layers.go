package layers

import (
	"slices"
	"strings"
	"time"
)

// Selection is what a subscriber asked for. The zero value asks for nothing: one steady layer.
type Selection struct {
	PreferredRID string
	// FallOnBandwidth is priorityOrdering "asciibetical": go down towards z when bandwidth is short, and up again.
	FallOnBandwidth bool
	// FallOnMissing is ridNotAvailable "asciibetical": the next available rid in a..z order stands in for a missing one.
	FallOnMissing bool
}

// Layer is one encoding of a publication at this moment.
type Layer struct {
	RID     string
	Alive   bool   // packets arrive
	Bitrate uint64 // bits a second, as received
}

// Estimate is what is known of the bandwidth towards the subscriber, for this one track.
type Estimate struct {
	Bitrate uint64 // bits a second, 0 when nothing is known
	// Fixed means that Bitrate does not follow what is sent: it can be trusted when it says that there is room.
	Fixed bool
}

const (
	// A layer fits when the estimate covers it with this much to spare, and a smaller layer is left only when the larger
	// one fits even better: between the two nothing changes.
	fitPercent = 100
	upPercent  = 110
	// shortFor is how long the bandwidth must be short before a layer is given up: a single low estimate is noise.
	shortFor = 500 * time.Millisecond
	// roomyFor is how long there must be room for a larger layer: one that stutters measures small for a moment.
	roomyFor = time.Second
	// An estimate that follows what is sent never says that more would fit: the next layer is tried after holdFirst
	// without shortage. A trial that fails doubles the wait, up to holdMax; one that is covered for trialTime has held.
	holdFirst = 4 * time.Second
	holdMax   = 60 * time.Second
	trialTime = 5 * time.Second
	// During a trial the estimate is behind what is sent: Chromium's grows by 8 % a second. It may stay below as long as it
	// rises; it fails once it has fallen to fallPercent of its peak, the sign of congestion, or has no new peak for stallTime.
	fallPercent = 95
	stallTime   = 3 * time.Second
)

// Selector chooses for one subscription. The zero value is ready.
type Selector struct {
	want       Selection
	current    string // what was named last
	chosen     bool
	shortSince time.Time
	roomySince time.Time     // since when there has been room for the next larger layer
	stable     time.Time     // since when there has been no shortage
	hold       time.Duration // the wait before the next trial, 0 when the last one did not fail

	trial   bool      // current has not proved itself; a subscription begins so
	peak    uint64    // the highest estimate of this trial
	rose    time.Time // when it was reached
	covered time.Time // since when the estimate covers current, zero while it does not
}

// Want replaces the wish. What is forwarded stays until Choose says otherwise.
func (s *Selector) Want(w Selection) {
	*s = Selector{want: w, current: s.current, chosen: s.chosen && w.PreferredRID == ""}
}

// Wish is the selection in force.
func (s *Selector) Wish() Selection { return s.want }

// Choose names the layer to forward, "" and false for none. list is what there is, in any order.
func (s *Selector) Choose(now time.Time, list []Layer, e Estimate) (rid string, ok bool) {
	slices.SortFunc(list, func(a, b Layer) int { return strings.Compare(a.RID, b.RID) })
	base, ok := s.base(list)
	if !ok {
		s.chosen = false
		return "", false
	}
	choices := usable(list, base)
	if !s.want.FallOnBandwidth || len(choices) == 0 {
		return s.take(base), true
	}
	return s.take(s.within(now, choices, e)), true
}

func (s *Selector) take(rid string) string {
	s.current, s.chosen = rid, true
	return rid
}

// base is the layer that is wanted when bandwidth is no matter.
func (s *Selector) base(list []Layer) (string, bool) {
	if s.want.PreferredRID == "" {
		if s.chosen && find(list, s.current) != nil {
			return s.current, true // steady, whatever else appears
		}
		for _, l := range list {
			if l.Alive {
				return l.RID, true
			}
		}
		return "", false
	}
	if l := find(list, s.want.PreferredRID); l != nil && l.Alive {
		return l.RID, true
	}
	if !s.want.FallOnMissing {
		return "", false
	}
	var first string
	for _, l := range list {
		if l.Alive && l.RID > s.want.PreferredRID {
			return l.RID, true
		}
		if l.Alive && first == "" {
			first = l.RID
		}
	}
	return first, first != ""
}

// usable are the living layers from base towards z, those that bandwidth may choose among.
func usable(list []Layer, base string) []Layer {
	var out []Layer
	for _, l := range list {
		if l.Alive && l.RID >= base {
			out = append(out, l)
		}
	}
	return out
}

// within picks the layer that the bandwidth allows. list is never empty; its first entry is the one wanted.
func (s *Selector) within(now time.Time, list []Layer, e Estimate) string {
	at := slices.IndexFunc(list, func(l Layer) bool { return l.RID == s.current })
	if !s.chosen || at < 0 {
		at = 0
		s.hold, s.stable, s.shortSince, s.roomySince = 0, now, time.Time{}, time.Time{}
		s.try()
	}
	if e.Bitrate == 0 {
		return list[0].RID
	}
	rises := s.rises(now, e)
	if fits(list[at], e, fitPercent) || at == len(list)-1 {
		s.shortSince = time.Time{}
		s.prove(now)
		if at > 0 {
			return s.better(now, list, at, e)
		}
		return list[at].RID
	}
	s.covered, s.stable = time.Time{}, now
	if s.trial && rises {
		s.shortSince = time.Time{}
		return list[at].RID
	}
	return s.short(now, list, at, e)
}

// try begins a trial of the layer that is about to be named.
func (s *Selector) try() { s.trial, s.peak, s.covered = true, 0, time.Time{} }

// prove ends a trial that has been covered for long enough.
func (s *Selector) prove(now time.Time) {
	if s.covered.IsZero() {
		s.covered = now
	}
	if s.trial && now.Sub(s.covered) >= trialTime {
		s.trial, s.hold = false, 0
	}
}

// rises reports whether the estimate is on its way up.
func (s *Selector) rises(now time.Time, e Estimate) bool {
	if e.Bitrate > s.peak {
		s.peak, s.rose = e.Bitrate, now
	}
	return !e.Fixed && e.Bitrate >= s.peak/100*fallPercent && now.Sub(s.rose) < stallTime
}

// short goes down once the bandwidth has been short for long enough.
func (s *Selector) short(now time.Time, list []Layer, at int, e Estimate) string {
	if s.shortSince.IsZero() {
		s.shortSince = now
	}
	if now.Sub(s.shortSince) < shortFor {
		return list[at].RID
	}
	if s.trial && !e.Fixed {
		s.hold = min(max(2*s.hold, holdFirst), holdMax)
	}
	s.trial, s.shortSince, s.roomySince = false, time.Time{}, time.Time{}
	for _, l := range list[at+1:] {
		if fits(l, e, fitPercent) {
			return l.RID
		}
	}
	return list[len(list)-1].RID
}

// better goes up one layer: when the estimate has had room for it for a while, else, where the estimate is not fixed, as a
// trial.
func (s *Selector) better(now time.Time, list []Layer, at int, e Estimate) string {
	up := list[at-1]
	if !fits(up, e, upPercent) {
		s.roomySince = time.Time{}
	} else if s.roomySince.IsZero() {
		s.roomySince = now
	}
	roomy := !s.roomySince.IsZero() && now.Sub(s.roomySince) >= roomyFor
	if !roomy && (e.Fixed || now.Sub(s.stable) < max(s.hold, holdFirst)) {
		return list[at].RID
	}
	s.roomySince = time.Time{}
	s.stable = now
	if e.Fixed {
		s.trial = false
	} else {
		s.try()
	}
	return up.RID
}

func fits(l Layer, e Estimate, percent uint64) bool { return l.Bitrate*percent/100 <= e.Bitrate }

func find(list []Layer, rid string) *Layer {
	for i := range list {
		if list[i].RID == rid {
			return &list[i]
		}
	}
	return nil
}
