// Package stunserver answers STUN Binding requests over UDP and TCP on one
// address (contract 7.1; RFC 8489, and RFC 5389 whose clients are still the
// majority).
//
// Path of a request: socket -> frame (TCP only) -> respond, a pure function
// from the bytes and the sender's address to the bytes of the answer -> the
// same socket. The answer leaves from the socket that was asked, so the
// address of a Config should be one address of the machine; a wildcard
// address works where the machine has one address per family.
//
// # Ownership
//
// A Server owns three kinds of goroutines and joins them all in Close: one
// reader of the UDP socket, one acceptor of the TCP listener, one reader per
// TCP connection. The number of connections is bounded by Config.MaxConns:
// one more than that is accepted and closed at once. Server.mu guards the set
// of connections only, and nothing is called while it is held except closing
// a connection.
//
// # What it does not do
//
// It relays nothing (no TURN) and authenticates nobody: MESSAGE-INTEGRITY is
// not checked, as a public STUN server does not. It never dials, and in
// particular never calls DialURI of pion/stun/v2, whose DTLS is outdated. It
// does not speak RFC 3489, whose messages carry no magic cookie.
package stunserver
