// Package fault holds the rules by which an emulator fails on purpose: which call, how often, and what it answers then.
//
// A Set is asked for every call with what the call is; it says what is to happen and remembers how often each rule has
// matched. A fault looks like the failure that it stands for: its answer is a row of the catalogue in package wire. What
// a rule decides by chance comes from a generator of its own with a seed that the rule shows, so that a run can be
// repeated.
//
// Ownership: values and counters, no goroutine; whoever asks carries the fault out.
// Locks: Set.mu, a leaf.
//
// It knows no HTTP, no session and no clock.
package fault
