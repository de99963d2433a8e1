// Package doctor connects to a Calls API as a client would, over each transport, and says in one sentence each what works, what
// does not, and what to change.
//
// [Examine] is the whole of it. It knows the target by its URL alone and needs nothing that the real service lacks; what an
// emulator tells about itself (/readyz, /_emu/) it repeats where it is there.
//
// It goes in two steps. The first asks one thing after the other, until something is missing without which the rest cannot be
// (connect.go, secure.go, service.go). The second tries every way of media at once, each with two peers of its own (media.go), so
// that its time is that of the slowest; what each found is judged when all are known (judge.go, cure.go), since the cure of one
// depends on the others.
//
// # Ownership
//
// Examine starts one goroutine for each way of media and joins them all. Peers are closed by the goroutine that made them.
package doctor
