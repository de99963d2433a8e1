// Package api makes the few calls that the programs under scripts need. It does not judge the API; that is what package
// conformance is for.
//
// Ownership: it starts nothing. Locks: none.
package api
