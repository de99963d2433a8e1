// Package codec reads from an RTP payload what forwarding needs to know of the picture in it: whether a key frame starts
// here.
//
// The package is pure and allocates nothing; every function takes bytes that a peer sent and accepts any of them.
//
// It does not reassemble or decode frames.
package codec
