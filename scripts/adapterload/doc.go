// Command adapterload measures WebSocket adapters of a running callsemu: egress adapters that decode one published tone, ingest
// adapters that are sent one, and picture adapters of one video, all at once, against an endpoint of its own. It prints how far
// each kind keeps real time, and the server's CPU time per adapter.
//
//	adapterload -url URL -pid PID [-egress 20] [-ingest 20] [-jpeg 0] [-secs 20]
//
// Everything is bounded in time and number; `make adapterload` starts a server of its own for it. It uses loopback addresses
// only.
//
// Ownership: run starts one goroutine per socket of ingest and joins them with the endpoint; net/http owns one per egress
// socket, which end with the server. Locks: sink.mu, a leaf.
package main
