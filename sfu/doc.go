// Package sfu forwards media between endpoints: the selective forwarding unit behind the API. It knows no HTTP, no JSON, no
// app and no error code.
//
// An SFU owns the sockets. A Peer is one endpoint's transport (ICE-lite, DTLS, SRTP) with its m-lines; a Publication is a
// track that an endpoint sends, a Subscription one that it receives; DataPublication and DataSubscription are the same for
// data channels. ICE, SDP and forwarding are ours; DTLS, SRTP, SCTP, STUN's and RTCP's wire formats are pion's.
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
// subscriber's lock is taken once for a burst. A packet is valid during the call; whoever keeps it copies it: the cache, and
// a Tap, which is a bounded queue of copies for a reader outside of this package. A Source is the other end: a Publication
// whose packets the program writes itself, on a goroutine of its own.
//
// # The way of a data channel message
//
//	socket  ->  Peer.receiveDTLS  ->  association.run: DTLS  ->  dataPipe  ->  pion's SCTP
//	  ->  leg.read, a goroutine for each channel of an endpoint      dataleg.go
//	  ->  DataPublication.received: list of subscribers              datachannel.go
//	  ->  DataSubscription.deliver: gate                             datachannel.go
//	  ->  leg.send: SCTP, or a bounded queue while it has no room    dataleg.go
//
// A message passes to all subscribers on the publisher's reader, and nothing on the way waits for an endpoint. SCTP lies over
// the Peer, not over one DTLS connection, so channels outlive the replacement of the transport.
//
// # Ownership
//
//	SFU            a reader for each socket, a reader and a writer for each TCP connection, one ticker; joined by Close
//	Peer           a goroutine for each DTLS association, one for the data transport; joined by Close
//	dataTransport  a reader for each channel; joined by the Peer's goroutine
//	worker         belongs to one reader, is never shared
//	everything else starts nothing
//
// News travel upwards as closed channels (Peer.Done, Publication.Ready), never as calls.
//
// # Lock order
//
// Peer.mu > Publication.mu > SFU.mu; Peer.inbound.mu > Peer.outMu > cache.mu. No lock of one group is taken under one of
// the other except Peer.outMu, a leaf for both, and no lock of one Peer under the same lock of another. Tap.mu is a leaf.
// Under Peer.mu and Publication.mu nothing is sent. Under Peer.outMu packets are sealed and RTCP is sent, which keeps their
// order.
//
// Data has a group of its own: DataSubscription.mu > leg.mu, under which a message is handed to SCTP, which keeps its order;
// SCTP has locks of its own, waits for nothing, and calls back under none of them. dataTransport.mu and DataPublication.mu
// are leaves.
//
// # What it does not do
//
// It never transcodes.
package sfu
