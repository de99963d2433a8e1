// Package openapi holds our own contract file of the emulated API,
// openapi.yaml, and validates requests and answers against it.
//
// The file is written from docs/contract.md; its x-contract entries name the
// section behind every operation and every answer. Tests of other packages and
// the conformance suite pass each call of theirs through ValidateRequest and
// ValidateResponse; the emulator serves the file as it is.
//
// Ownership: a Document is read-only after Load and may be used by any number
// of goroutines. The package starts none.
//
// What it does not do: it generates no code and no types, it checks no
// Authorization (a rule of the emulator, not of a shape), and it does not
// stand in the path of a request. Rules that need the state of a session are
// beyond a schema; a request that it accepts may still be refused.
package openapi
