// Package conformance is a black-box suite for anything that speaks the Cloudflare Calls API: it talks HTTP and WebRTC
// to a base URL and knows nothing of what is behind it.
//
// A [Case] is a value: an id, the sentence it proves, the section of docs/contract.md that says so, how sure that
// section is, and a function. [Cases] lists them all; [Run] runs one against a [Target]. The cases live in ordinary
// files, so that a program can carry them; conformance_test.go runs them against an emulator of its own, or against
// the target that CALLS_BASE_URL, CALLS_APP_ID and CALLS_APP_SECRET name.
//
// Adapters need a WebSocket endpoint that the target can reach. The suite brings its own. For a target that is not an emulator on
// this machine, CALLS_ENDPOINT_URL is a public URL (of a tunnel, say) that leads to CALLS_ENDPOINT_LISTEN; without it those cases
// are left out, and the suite says so.
//
// Every response, and every request that a case means to be valid, is checked against openapi/openapi.yaml. A request
// meant to be malformed must be refused by the schema as well, or the case says why the schema cannot see the fault.
//
// # Ownership
//
// Run owns everything that a case makes: the case registers it with T.Cleanup, and Run ends it, newest first, before it
// returns. A case runs in one goroutine; T may be used from that goroutine only.
//
// # What it does not do
//
// It never imports emulator code. Cases that prove a wait of seconds take it; those that let half a minute pass move the
// target's clock where there is one (Case.Slow), and wait where there is none.
package conformance
