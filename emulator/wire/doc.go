// Package wire holds the JSON shapes of the API and the one catalogue of its errors.
//
// A request body goes Decode -> Validate: Decode answers what the real service calls a decoding error (syntax, wrong
// types, a required field that is absent), Validate what it calls invalid parameters. Both are pure. Whether a request
// fits the state of a session is not decided here.
//
// Status numbers and error code strings exist in the catalogue of this package and nowhere else; each row names the
// section of docs/contract.md that it comes from. No other package of the API has JSON tags.
//
// Ownership: values only, no goroutine, no lock. Imports the standard library alone.
package wire
