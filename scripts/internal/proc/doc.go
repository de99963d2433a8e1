// Package proc reads what a process has used. It is for the programs under scripts that measure a running callsemu.
//
// Ownership: it starts nothing. Locks: none.
package proc
