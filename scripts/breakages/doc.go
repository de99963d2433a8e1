// Command breakages breaks the emulator on purpose, in one way after another, and runs the conformance cases that have to notice: it is
// how the suite is tested. Each breakage is one replacement in one source file (table.go), which the compiler is told by an overlay; the
// tree stays as it is. First every named case has to pass at the emulator as it is, then each has to fail at the broken one.
//
// It prints, for each breakage, the case that noticed with its section of the contract and the first thing that it said, and fails where
// one went unnoticed.
//
// Ownership: no goroutine; the commands that it starts are awaited.
// What it does not do: it reaches nothing but the emulators that those commands start for themselves.
package main
