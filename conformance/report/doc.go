// Package report writes what became of a suite of conformance cases: as text for a terminal, as JUnit XML for CI, as JSON for
// programs, as one HTML page for people, and as the table of docs/conformance.md.
//
// It only formats. Secrets are masked where they are recorded, in package conformance.
package report
