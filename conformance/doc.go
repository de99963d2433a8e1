// Package conformance is a black-box suite for anything that speaks the Cloudflare Calls API: it talks HTTP and WebRTC
// to a base URL and knows nothing of what is behind it.
//
// A [Case] is a value: an id, the sentence it proves, the section of docs/contract.md that says so, how sure that
// section is, and a function. [Cases] lists them all; [Run] runs one against a [Target], and its [Result] has every exchange, without
// secrets. A [Suite] plans what runs beside what. The command callsemu conformance runs that plan and reports by conformance/report;
// conformance_test.go runs it as subtests, against emulators of its own, or against the target that CALLS_BASE_URL, CALLS_APP_ID
// and CALLS_APP_SECRET name. README.md tells users.
//
// Adapters need a WebSocket endpoint that the target can reach. The suite brings its own. For a target that is not an emulator on
// this machine, CALLS_ENDPOINT_URL is a public URL (of a tunnel, say) that leads to CALLS_ENDPOINT_LISTEN; without it those cases
// are left out, and the suite says so.
//
// Every response, and every request that a case means to be valid, is checked against openapi/openapi.yaml. A request
// meant to be malformed must be refused by the schema as well, or the case says why the schema cannot see the fault.
//
// # Coverage
//
// A [Coverage] collects what cases that passed really sent and saw; those that observe judge nothing and do not count. TestCoverage
// fails for what openapi.yaml has and no case brings about: an operation, a status, an error code, a field or a value in a request
// that succeeds. Errors that only trouble of the service makes are made by rules for faults (cases_faults.go). [Fields] lists every
// field of every request; each row is a case that tries six faults of the field. testdata/rules.tsv names the cases of each row and
// each point of docs/contract.md, and of each cell of the table 2.2; one of them names the section in Case.Section.
//
// # Ownership
//
// Run owns everything that a case makes: the case registers it with T.Cleanup, and Run ends it, newest first, before it
// returns. A case runs in one goroutine; T may be used from that goroutine only. Suite.Run owns the goroutines of the cases and returns when
// the last has ended.
//
// # What it does not do
//
// It never imports emulator code. Cases that prove a wait of seconds take it; those that let half a minute pass move the
// target's clock where there is one (Case.Slow), and wait where there is none.
package conformance
