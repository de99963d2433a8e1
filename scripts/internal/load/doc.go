// Package load is what the programs that burden a running callsemu begin with: the flags that name it, the rule that it is on
// this machine, and the signals that end a run. scripts/load.sh starts the callsemu and one such program.
//
// Ownership: it starts nothing. Locks: none.
package load
