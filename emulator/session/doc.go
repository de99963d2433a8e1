// Package session holds the rules of the API: apps, sessions, what is legal when, what a request changes, and when
// things expire. It knows neither HTTP nor pion; the HTTP front calls Registry, and Registry drives package sfu.
//
// # The path of a request
//
// Registry finds the session; the rate limit counts it; Session takes its turn; Faults may hold it up or fail it; the state
// table (state.go) answers go, wait or refuse; a plan (plan.go) is made from request and look-ups without touching
// anything; the Peer applies the plan in one negotiation; the outcome is recorded. What can be refused is refused before
// anything changes, with one documented exception: a negotiated close stops its tracks even if its SDP turns out to be bad
// (contract 1.6).
//
// Every failure is a *wire.Error from the catalogue, or the context's error when the client has gone away. Failed items are
// in the answer, with their explanations in its wire.Failures.
//
// # Time
//
// Waits and expiry read the Registry's clock. What an endpoint sends arrives in real time: Clock.At tells what the clock
// showed then, and whoever was heard within the last real second is alive, however far the clock has jumped. What is over on
// the clock and has not been silent for long in real time is given a moment to show itself (Registry.awaitSigns): an endpoint
// with nothing to send is asked by a connectivity check, a slow track has two seconds from its last packet, a DTLS handshake
// may end. The rate limit counts real time.
//
// # Ownership
//
//	Registry  apps, sessions, adapters and published names; one sweeper, one watch per session with a transport and per
//	          adapter, one wait per silence that a fault laid on a track. Close joins them all.
//	Session   its Peer and the lists of its tracks and data channels.
//
// A session that pulls from another asks the Registry for the sfu.Publication and never takes a lock of the other Session,
// so two sessions that pull each other cannot deadlock.
//
// # Adapters
//
// An adapter belongs to its app, not to a session. Package adapter makes them behind the interface Adapters; here are the
// rules: what may be converted, what an answer says, how long ids are known, when a lost socket is made anew. A local adapter's
// track is published in a session of its own, whose Peer stands in for an endpoint and which goes with the adapter.
//
// # Lock order
//
// Session.turn, a 1-slot channel whose waiters are served in order of arrival; then Registry.mu; then Session.mu. Only
// turn is held across a wait, and no call leaves this package under a mu, except that a Peer which becomes the session's
// gets its fixed estimate. The locks of package sfu come after turn.
package session
