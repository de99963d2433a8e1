// Package rewrite maps the sequence numbers and timestamps of changing sources onto one outgoing RTP stream that a
// receiver sees as continuous (RFC 3550 section 5.1: numbers rise by one a packet, timestamps with the time that passed).
//
// Path: a Subscription asks its Mapper for every packet that it forwards, and asks it the other way round when its
// endpoint reports a loss. The package is pure: no I/O, no clock, no lock; its caller owns the Mapper.
//
// It does not choose sources and keeps no packets.
package rewrite
