// Package adapter connects one track to one WebSocket endpoint (contract 5): PCM out of Opus, JPEG out of video, PCM into
// Opus. It also holds the one dialer of the program, with the policy on addresses. It knows no HTTP API, no JSON, no app and
// no error code.
//
// # The ways of media
//
//	PCM out   sfu.Tap -> order, conceal, decode (voice.go) -> backlog of 2 s -> socket
//	JPEG out  sfu.Tap, key frames only -> decode, encode (photographer.go) -> backlog of one -> socket
//	PCM in    socket -> pacer -> encode every 20 ms -> sfu.Source                     (ingest.go)
//
// A Tap and a backlog drop their oldest when they are full, so an endpoint that is slow, or away, slows nothing down. The
// pacer drops nothing: while it is full the socket is not read.
//
// # Time
//
// The handshake's limit and the window for another socket are rules and run on the clock; everything else is media and
// network, and runs in real time.
//
// # Ownership
//
//	Adapter         one goroutine that holds the socket, one that reads it, one that makes or plays media, one that watches
//	                the track; joined by Close
//	ffmpegProcess   ffmpeg, one goroutine that reads its pictures, one that ends it; joined by the maker of pictures
//	everything else starts nothing that outlives the call
//
// # Lock order
//
// Adapter.mu, backlog.mu and pacer.mu are leaves. Nothing is sent, logged or waited for under any of them.
package adapter
