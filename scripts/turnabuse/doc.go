// Command turnabuse does to the TURN server of a callsemu on this machine what hostile and careless clients do, for a bounded
// time, and then looks whether anything of it is left: malformed frames, wrong credentials by the thousand, 200 allocations, and
// clients that go away without a word. It prints what it counted, and fails where allocations, connections or files stay, or the
// process does not come to rest. scripts/load.sh starts the callsemu for it, with a short turn-lifetime.
//
// Ownership: every goroutine is joined by the stage that starts it.
// What it does not do: it talks to loopback addresses only.
package main
