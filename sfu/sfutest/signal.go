package sfutest

import (
	"context"
	"fmt"
	"sync"
)

// bell wakes whoever waits for a change. The zero value is ready.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// ring wakes all waiters.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// wait gives the channel that the next ring closes.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// await looks at snapshot at every ring until done is content, and returns the last snapshot in any case.
func await[S any](ctx context.Context, b *bell, over <-chan struct{}, snapshot func() S, done func(S) bool) (S, error) {
	for {
		changed := b.wait()
		s := snapshot()
		if done(s) {
			return s, nil
		}
		select {
		case <-changed:
		case <-over:
			return s, ErrClosed
		case <-ctx.Done():
			return s, fmt.Errorf("%w with %+v", context.Cause(ctx), s)
		}
	}
}
