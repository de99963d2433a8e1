// Command dataload measures data channels of a running callsemu: one publisher sends small messages at a steady rate to many
// subscribers, and each message says when it was sent and as the how-manieth. It prints what was lost or came out of order,
// latencies, and the server's CPU time per delivered message. Its status is 1 when anything was lost or out of order.
//
//	dataload -url URL -pid PID [-subs 100] [-rate 200] [-size 100] [-secs 20] [-stuck 0]
//
// With -stuck N, that many more subscribers cut their network at half time, and the latency of the others is printed for
// each half, with the ratio. Everything is bounded in time and number; `make dataload` starts a server of its own for it.
// It sends to loopback addresses only.
//
// Ownership: run starts one goroutine for the publisher's loop and joins it. Locks: watcher.mu, a leaf.
package main
