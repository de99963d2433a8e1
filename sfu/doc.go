// Package sfu forwards media between endpoints: the selective forwarding unit behind the API. It knows no HTTP, no JSON, no
// app and no error code.
//
// An SFU owns the sockets. A Peer is one endpoint's transport (ICE-lite, DTLS, SRTP) with its m-lines; a Publication is a
// track that an endpoint sends, a Subscription one that it receives. ICE, SDP and forwarding are ours; DTLS, SRTP, STUN's
// and RTCP's wire formats are pion's.
//
// # The way of a packet
//
//	socket (recvmmsg)  ->  SFU.receive: whose, and what      sfu.go
//	  ->  Peer.receiveRTP: open, account, find its stream    inbound.go
//	  ->  worker.forward: burst by burst                     path.go
//	  ->  Publication.forward: cache, list of receivers      publication.go
//	  ->  Subscription.write: number, seal into the batch    subscription.go
//	  ->  Batch.Flush (sendmmsg, GSO)                        internal/udp
//
// All of it happens on the goroutine that read the socket; nothing is handed over, nothing is allocated, and each
// subscriber's lock is taken once for a burst. A packet is valid during the call; whoever keeps it copies it.
//
// # Ownership
//
//	SFU          a reader for each socket, a reader and a writer for each TCP connection, one ticker; joined by Close
//	Peer         a goroutine for each DTLS association; joined by Close
//	worker       belongs to one reader, is never shared
//	everything else starts nothing
//
// News travel upwards as closed channels (Peer.Done, Publication.Ready), never as calls.
//
// # Lock order
//
// Peer.mu > Publication.mu > SFU.mu; Peer.inbound.mu > Peer.outMu > cache.mu. No lock of one group is taken under one of
// the other except Peer.outMu, a leaf for both, and no lock of one Peer under the same lock of another. Under Peer.mu and
// Publication.mu nothing is sent. Under Peer.outMu packets are sealed and RTCP is sent, which keeps their order.
//
// # What it does not do
//
// It never transcodes. Sections for data channels are refused.
package sfu
