// Package emulator is a local Cloudflare Calls API: the HTTP front and the wiring of everything behind it. It is what
// cmd/callsemu runs, and a library for Go programs and tests (RunT).
//
// # The path of a request
//
// A TCP connection is told apart by its first byte (demux.go): ICE over TCP goes to package sfu, HTTP to the front, by way
// of TLS where that came first (secure.go). The front (front.go) finds the row of the routes table; one generic adapter (call.go) checks header, app and secret,
// bounds and decodes the body, runs Validate, calls the session.Registry, encodes once and logs one line. The order is
// that of contract 1.0. Anything that a browser's page may call carries CORS headers (contract 9.1); the /_emu/ zone,
// /healthz and /readyz do not. Why a call or an item was refused goes into the log and the header X-Emu-Explain
// (explain.go), never into the body. What a client goes on sending behind its answer is read to its end (drain.go).
//
// The rules decide about adapters, package adapter connects and converts; adapters.go joins the two.
//
// The account API (accounts.go) goes the same way with credentials of its own, the v4 envelope around its answers, and no
// CORS; it changes the account.Store of which the Registry asks whether a token is an app's.
//
// The zone /_emu/ (zone*.go) is another world: its own guard, strict JSON, its own OpenAPI file. It reads and moves the
// Registry, the clock and the rules of package fault. What the emulator does unlike the real service is one table
// (deviations.go), which also says what the modes switch off.
//
// # Ownership
//
//	Emulator  the HTTP server's loop and the self-test; holds the listeners and closes everything in reverse order
//	demux     one goroutine per TCP listener, one per connection of which it is not known yet who takes it (at most 256)
//	guests    what net/http starts: one goroutine per connection, and one per call of HTTP/2
//
// Close cancels the requests' context, lets answers leave for 400 ms, closes the connections and waits for their goroutines.
// Everything that Close waits for ends by itself when its socket or its context does, so Close takes less than a second.
//
// # Lock order
//
// Emulator.mu, then demux.mu; both guard flags and a set, and nothing is called under them but demux.start and
// sfu.SetAdvertise, whose own lock is a leaf. Emulator has no other state that changes after New. The locks of demux.lines,
// guests and advice are leaves.
//
// # Sockets
//
// The API, ICE over TCP and ICE over UDP share one port number. There is one UDP socket per local address, since a reply
// must leave from the address that was asked; a candidate is offered only where a socket receives (media.go, listen.go).
//
// # What it does not do
//
// It has no rule of the API: apps, sessions and timeouts are package session's, media is package sfu's, the texts and
// statuses of errors are package wire's. It reads no environment, and no file but those of Config.TLSCert and
// Config.StateDir; it writes nothing but its log and, through package certs, the CA into Config.StateDir; and it runs no program
// but ffmpeg, for pictures of video other than VP8.
package emulator
