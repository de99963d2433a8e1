// Package loglimit keeps out of the log what strangers can cause by the thousand.
//
// Ownership: it starts nothing. Locks: Limiter.mu is a leaf, and nothing is logged under it.
package loglimit
