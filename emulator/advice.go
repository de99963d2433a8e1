package emulator

import (
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/callsemu/callsemu/emulator/account"
)

// advice says in the log, once for each app and TURN key, what works here and does harm in production. It refuses nothing.
type advice struct {
	log *slog.Logger

	mu    sync.Mutex
	given map[string]bool // by the advice and whom it is about
}

// What is remembered is bounded: who invents apps by the thousand is told no more then, and no app and no TURN key has an id of more
// than maxAdvisedID bytes (those of the service have 32).
const (
	maxAdvised   = 1000
	maxAdvisedID = 128
)

func newAdvice(log *slog.Logger) *advice { return &advice{log: log, given: map[string]bool{}} }

// once logs a message about an app or a TURN key, unless it has been logged before.
func (a *advice) once(message, id, why string) {
	if len(id) > maxAdvisedID {
		return
	}
	key := message + " " + id
	a.mu.Lock()
	silent := a.given[key] || len(a.given) >= maxAdvised
	if !silent {
		a.given[key] = true
	}
	a.mu.Unlock()
	if !silent {
		a.log.Warn(message, "id", id, "why", why)
	}
}

// owner finds whose secret a call is made with: the app or the TURN key of its path.
var owner = regexp.MustCompile(`^(?:/v1)?/(?:apps|turn/keys)/([^/]+)/`)

// preflight looks at a preflight. Only a page of another origin has a browser send one, and only if the page itself has what it is to
// send: an Origin on the call alone proves nothing, since backends pass on what browsers sent them.
func (f *front) preflight(r *http.Request) {
	found := owner.FindStringSubmatch(r.URL.Path)
	if found == nil || !strings.Contains(strings.ToLower(r.Header.Get("Access-Control-Request-Headers")), "authorization") {
		return
	}
	f.advice.once("secret in a web page", f.begin(r).hide(found[1]), "a page is about to call the API with the secret itself, so everybody who opens the "+
		"page has it; that is good for trying things out, in production let a backend make the calls")
}

// realSecret is the form of the service's own secrets of apps and TURN keys.
var realSecret = regexp.MustCompile(`^[0-9a-f]{64}$`)

// accepted looks at a secret that was taken. One of a kind that nobody here has issued may be a real one.
func (c *call) accepted(kind account.Kind, id string) {
	if realSecret.MatchString(c.token) && c.front.accounts.Check(kind, id, c.token) == account.Unknown {
		c.front.advice.once("secret that looks real", c.hide(id), "callsemu takes any word as the secret of an app or TURN key that nobody made; keep "+
			"secrets of the real service out of tests")
	}
}
