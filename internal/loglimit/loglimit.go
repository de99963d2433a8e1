package loglimit

import (
	"log/slog"
	"sync"

	"golang.org/x/time/rate"
)

// Lines of one kind are logged up to burst at once and perSecond later.
const (
	perSecond = 1
	burst     = 10
)

// Limiter counts the lines of each kind. The zero value is ready; it is safe for any number of callers. Kinds are kept for good, so
// they are names of the program, and nothing that came from outside.
type Limiter struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	limiter *rate.Limiter
	left    uint64 // not logged since the last line that was
}

// Warn logs a line, or counts it where lines of its kind come too fast. The next one that is logged says under not_logged how many
// were left out before it.
func (l *Limiter) Warn(log *slog.Logger, kind, text string, attrs ...any) {
	left, quiet := l.count(kind)
	if quiet {
		return
	}
	if left > 0 {
		attrs = append(attrs, "not_logged", left)
	}
	log.Warn(text, attrs...)
}

// count takes one of a kind: quiet says that it is not to be logged, left how many were not before it.
func (l *Limiter) count(name string) (left uint64, quiet bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds == nil {
		l.kinds = map[string]*kind{}
	}
	k := l.kinds[name]
	if k == nil {
		k = &kind{limiter: rate.NewLimiter(perSecond, burst)}
		l.kinds[name] = k
	}
	if !k.limiter.Allow() {
		k.left++
		return 0, true
	}
	left, k.left = k.left, 0
	return left, false
}
