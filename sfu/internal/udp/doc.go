// Package udp is the socket layer of the packet path: one Socket per local address, read in bursts and written in
// batches.
//
// A Socket hands its reader whole bursts (recvmmsg on Linux); a Batch collects what one goroutine sends and gives it to
// the kernel in one call (sendmmsg with UDP GSO on Linux). Where the kernel refuses segmentation, and on other systems,
// the same packets leave one by one.
//
// # Ownership
//
// Serve runs on the caller's goroutine until Close; the slices that it hands out belong to the Socket and are valid only
// during the call. A Batch belongs to one goroutine, is never shared, and owns what was committed until Flush returns.
// The package starts no goroutine and holds no lock.
//
// It knows nothing of STUN, DTLS or RTP.
package udp
