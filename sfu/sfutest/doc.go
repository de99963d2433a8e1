// Package sfutest is a real WebRTC client for tests: pion peers that publish generated media and check what arrives.
//
// A [Peer] is one PeerConnection. [Peer.Publish] gives a [Publisher], which sends stamped RTP packets at a steady pace;
// [Peer.Subscriber] gives a [Subscriber], which counts and checks what one mid receives. Every payload ends with a
// [Stamp] that says which publisher sent it, as its how-manieth packet, with which timestamp and when, so a receiver
// needs no decoder to tell loss, mix-ups, jumps and corruption apart. Payload headers and key frames are those of the
// codec, so a forwarder may look at them.
//
// [Peer.PublishSimulcast] gives a Publisher for each layer, with numbers of its own and a frame size in the stamp, so a
// Subscriber tells which layer a packet is of; it notes every [Switch] and whether the numbers go on across it, VP8 picture
// ids included. [Peer.PublishInAnswer] sends on a section that the far end offers, a Track that Receives makes its section
// sendrecv, and [Config.Lite] makes an ICE-lite endpoint.
//
// [Peer.OpenChannel] makes a data channel, [Peer.Incoming] waits for one of the far end; a [Channel] keeps what arrives.
//
// [Binding] asks a STUN server for this machine's address.
//
// [Config.ICEServers] and [Config.RelayOnly] make a peer go through TURN.
//
// No interceptor runs unless [Config.Interceptors] asks for it: nothing is repaired, answered or reported behind the
// back of a test. The publisher itself answers NACKs and PLIs, and sends sender reports; the subscriber sends what it is
// told to.
//
// # Ownership
//
// A Peer owns every goroutine under it: one pump and one RTCP loop per publisher, one media and one RTCP loop per
// incoming track. Close joins them all and may be called any number of times.
//
// # Lock order
//
// Peer.mu is taken before Publisher.mu, Subscriber.mu and Channel.mu, which are leaves. No pion call is made under any of them.
//
// # What it does not do
//
// It knows neither HTTP nor the API, imports nothing of package sfu, and has nothing of package testing: every wait
// takes a context and returns an error.
package sfutest
