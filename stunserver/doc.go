// Package stunserver answers STUN Binding requests over UDP and TCP on one address, and relays for clients with a credential:
// TURN over UDP, TCP and TLS (contract 7; RFC 8489 and 8656, and RFC 5389 and 5766 whose clients are still the majority).
//
// Path of a Binding request: socket -> frame (streams only) -> respond, a pure function from the bytes and the sender's address
// to the bytes of the answer -> the same socket. The answer leaves from the socket that was asked, so the address of a Config
// should be one address of the machine; a wildcard address works where the machine has one address per family.
//
// Path of everything else: socket -> frame -> gate.admit -> pion/turn -> relay. pion/turn v3 keeps the allocations, permissions,
// channels and their timers. A gate stands before each of its sockets and hides where it is wrong or unsafe:
//
//   - a stream frame whose length wraps around 65536 keeps its reader busy for ever: we frame streams ourselves;
//   - a short XOR-PEER-ADDRESS panics in pion/stun/v2: such messages do not pass;
//   - it answers wrong credentials with 400 (RFC 8489 section 9.2.4 says 401), a forbidden peer with an error without a code,
//     and requests without an allocation not at all: the gate answers these;
//   - it knows no quota, and does not say which credential an allocation is for: each gate has a turn.Server of its own, whose
//     requests come one at a time, so that the relay that is asked for is that of the request that was let through last;
//   - its timer, and the end of a relay's reader, may delete an allocation for which a permission is just being made, which can
//     panic: lifetimes are ours, and whoever deletes waits for the request at hand (gate.handling);
//   - it deletes allocations by client address also when their reader ends, which may hit the client's next one: see
//     gate.LocalAddr.
//
// What passes as a request is a copy that has the attributes which pion/turn handles rightly. Closing a relay's socket makes
// pion/turn delete the allocation: so end those whose credential expires or is revoked. Allocations live by real time, as all of
// ICE does; credentials by the Clock.
//
// # Ownership
//
// A Server owns, and joins in Close: one acceptor for each TCP listener, one goroutine per connection, and the reader of the UDP
// socket, which with TURN is pion/turn's. pion/turn starts one reader for each gate and one for each relay. Close waits until each
// has had its last error from us, after which it does nothing but return. Credentials owns one goroutine, joined by its Close.
// Connections are bounded by Config.MaxConns: one more takes the place of the one that says nothing (places.go).
//
// # Lock order
//
// Server.mu, gate.mu, relay.mu, stream.mu, Credentials.mu, counters.mu and the Limiter's are leaves: nothing is called under them
// but closing a connection, setting its deadline, and Clock.Now never.
//
// # What it does not do
//
// No TCP relays (RFC 6062), no IPv6 relays, no OAuth, no DTLS (contract 7.2), no port reservations. It does not speak RFC 3489,
// whose messages carry no magic cookie. It never dials, and in particular never calls DialURI of pion/stun/v2, whose DTLS is
// outdated. Of Binding requests MESSAGE-INTEGRITY is not checked, as a public STUN server does not.
package stunserver
