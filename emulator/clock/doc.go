// Package clock is the time that the rules of the API live by. Real is the machine's; Adjustable runs with it, but can be
// stopped and moved forward while the emulator is in use; Virtual moves by hand alone, for tests. Every wait and expiry of
// the contract reads one; RTP, ICE and DTLS keep real time.
//
// Ownership: no goroutine of its own. Whoever makes a Timer stops it, also after it has fired.
// Locks: Virtual and Adjustable have one each, a leaf. Adjustable.advancing comes before it.
package clock
