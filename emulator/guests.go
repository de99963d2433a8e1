package emulator

import (
	"net"
	"net/http"
	"sync"
)

// guests are what http.Server starts and does not wait for when it closes: connections, and the calls of HTTP/2, which have goroutines
// of their own.
type guests struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// noted is http.Server.ConnState. It says StateNew once for each connection, before Serve returns, and one of the ends.
func (g *guests) noted(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		g.wg.Add(1)
	case http.StateHijacked, http.StateClosed:
		g.wg.Done()
	}
}

// calls is next for as long as wait has not been called.
func (g *guests) calls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.begin() {
			panic(http.ErrAbortHandler) // its connection is closed already
		}
		defer g.wg.Done()
		next.ServeHTTP(w, r)
	})
}

func (g *guests) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.wg.Add(1)
	}
	return !g.closed
}

// wait returns when all have left. The server is closed by then.
func (g *guests) wait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
