// Command composepeer is the client of `make compose-test`: a static binary that publishes or pulls one audio and one
// video track through a callsemu that it only knows by URL, from the host or from a second container.
//
//	composepeer publish -url URL                 prints its session id when connected, then sends until it is stopped
//	composepeer pull -url URL -session ID        exits with 0 when enough packets have come whole
//
// It does not judge the API; that is what package conformance is for.
package main
