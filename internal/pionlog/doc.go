// Package pionlog is the logger that pion's packages write to.
//
// What pion warns of, or calls an error, is for debugging here: an endpoint that vanishes in the middle of a handshake, or sends
// nonsense, is normal. What pion has to say of each packet is left out.
//
// Ownership: it starts nothing. Locks: none.
package pionlog
