// Package clock is the time that the rules of the API live by: Real outside tests, Virtual where time must be moved by
// hand. Every wait and expiry of the contract reads it; RTP, ICE and DTLS keep real time.
//
// Ownership: no goroutine of its own. Whoever makes a Timer stops it.
// Locks: Virtual has one, a leaf.
package clock
