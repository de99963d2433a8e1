package session

import (
	"fmt"
	"time"
)

// maxEnded bounds how many ended sessions are remembered, for explanations; the oldest are forgotten.
const maxEnded = 1024

// ended is what is remembered of a session that is gone.
type ended struct {
	app    string // its id
	at     time.Time
	reason string
}

// endings remembers why sessions ended. The zero value is ready; it is guarded by Registry.mu.
type endings struct {
	byID  map[string]ended
	order []string // oldest first
}

func (e *endings) add(id string, what ended) {
	if e.byID == nil {
		e.byID = map[string]ended{}
	}
	if len(e.order) >= maxEnded {
		delete(e.byID, e.order[0])
		e.order = append(e.order[:0], e.order[1:]...)
	}
	e.byID[id] = what
	e.order = append(e.order, id)
}

// whereabouts says of a session that is not there what became of it, as far as that is known.
func (r *Registry) whereabouts(app *App, sessionID string) string {
	r.mu.Lock()
	gone, known := r.endings.byID[sessionID]
	r.mu.Unlock()
	if !known || gone.app != app.id { // other apps' sessions are nobody's business
		return fmt.Sprintf("app %s never had a session %q, or it ended long ago", app.id, sessionID)
	}
	return fmt.Sprintf("session %s ended %s ago: %s", sessionID, r.clock.Now().Sub(gone.at).Round(100*time.Millisecond), gone.reason)
}
