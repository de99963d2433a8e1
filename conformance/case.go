package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/openapi"
)

// Mark says how sure the contract is of what a case proves (contract 0.1).
type Mark string

// The marks of contract 0.1.
const (
	Doc      Mark = "doc"
	Recorded Mark = "recorded"
	Seen     Mark = "seen"
	Inferred Mark = "inferred"
)

// Need is a property that a target must have for a case to mean anything there.
type Need string

const (
	// AnEmulator is what cases that are EmulatorOnly need.
	AnEmulator Need = "an emulator, since the real service may decide otherwise"
	// SeededApps means that only known apps are served, as by the real service.
	SeededApps Need = "a service that refuses unknown apps"
	// OpenApps means that any app id with any secret is served (the emulator's dev mode).
	OpenApps Need = "an emulator that takes unknown apps"
	// TCPMedia means that the SDP carries TCP candidates. The real service's do not, or not everywhere (contract 3.1).
	TCPMedia Need = "ICE over TCP"
	// IPv4Media means that no candidate has to be of another family (contract 3.1). Only an emulator that calls its mode dev may
	// offer more: all addresses of its machine (DEV-5).
	IPv4Media Need = "media over IPv4 alone, while an emulator in dev mode offers every address of its machine (DEV-5)"
	// MovableClock means that the target's timeouts can be let pass without waiting, by POST /_emu/clock.
	MovableClock Need = "a clock that can be advanced"
	// FixableEstimate means that the bandwidth towards an endpoint can be fixed from outside, by PUT /_emu/settings.
	FixableEstimate Need = "a bandwidth estimate that can be fixed"
	// TakesOverlaps means that mutations of one session that overlap wait for each other (contract 2.2).
	TakesOverlaps Need = "a service that takes mutations that overlap, which an emulator in strict mode refuses (STR-1)"
	// TakesOffers means that an offer to renegotiate is answered (contract 1.4).
	TakesOffers Need = "a service that takes offers to renegotiate, which an emulator in strict mode refuses (STR-2)"
	// Explanations means that refusals say why in the header X-Emu-Explain; every answer is checked for it then.
	Explanations Need = "refusals that explain themselves"
	// OpenPeers means that the target can send first to a peer of the suite, which a NAT would not let in: the peer that is ICE-lite waits for it.
	OpenPeers Need = "peers that the target can send to, without a NAT between"
	// TURN means that TURNKeyID and TURNKeyToken issue credentials with which the target's TURN server is reached.
	TURN Need = "TURN"
	// TURNOverTLS means that it is reached over TLS as well.
	TURNOverTLS Need = "TURN over TLS"
	// AccountAPI means that the target's account API can be used with AccountID and AccountToken.
	AccountAPI Need = "the account API"
	// TwoAccounts means that OtherAccountToken is there.
	TwoAccounts Need = "a token of another account"
	// Endpoints means that the target reaches the suite's own WebSocket server: an emulator in dev mode on this machine, or
	// any target when Target.Endpoint leads here.
	Endpoints Need = "a WebSocket endpoint that the target reaches"
)

// Case is one provable sentence of the contract.
type Case struct {
	ID           string // area/name, unique
	Sentence     string
	Section      string // of docs/contract.md
	Mark         Mark
	EmulatorOnly bool     // a decision of ours; the real service may answer otherwise
	Needs        []Need   // without these the case does not apply
	Operations   []string // operationIds of openapi.yaml that it is about
	Codes        []string // Row.ID of every error that it provokes and checks
	// Slow is how much of the service's time the case lets pass, 0 for none. Without a MovableClock it waits that long. With
	// one nothing else may run beside it, since the clock is everybody's.
	Slow time.Duration
	// Alone means that other cases beside it would spoil it on a small machine.
	Alone bool
	// Observes means that the case records what the target does, by T.observe, and neither passes nor fails: it is about an open
	// question of contract 10, and its sentence is the question.
	Observes bool
	// Within is how long the case may take instead of Deadline; 0 means Deadline.
	Within time.Duration
	Run    func(ctx context.Context, t *T)
}

// Route is the way that the media of the suite's peers take.
type Route string

// The ways that media can take: any that ICE finds, ICE over TCP alone, or a relay of the target's TURN server alone.
const (
	AnyRoute Route = ""
	OverTCP  Route = "tcp"
	OverTURN Route = "turn"
)

// Target is a service to test.
type Target struct {
	BaseURL  string // with or without the /v1 at its end
	AppID    string
	Secret   string
	Endpoint Endpoint
	Emulator bool // an emulator: EmulatorOnly cases apply
	Has      []Need
	Route    Route
	HTTP     *http.Client      // nil means one of its own per case
	Schema   *openapi.Document // nil loads it for every case
	Coverage *Coverage         // what the cases do is collected there; nil collects nothing

	TURNKeyID    string
	TURNKeyToken string
	TLSRoots     *x509.CertPool // CAs of the API and of the TURN server; nil means the system's

	AccountURL        string // of the account API, ending in /client/v4; empty means that of an emulator at BaseURL
	AccountID         string
	AccountToken      string // an API token of the account
	OtherAccountToken string // an API token that is not the account's; empty for none

	pace *pace // of all cases together; nil means none
}

// root is the base URL without /v1.
func (to Target) root() string { return strings.TrimSuffix(strings.TrimSuffix(to.BaseURL, "/"), "/v1") }

// client is an HTTP client of its own for the target. It follows no redirect: that would be an answer like another one, and the call would
// become a GET.
func (to Target) client() *http.Client {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{RootCAs: to.TLSRoots},
		ForceAttemptHTTP2:     true,
		ExpectContinueTimeout: 5 * time.Second,
	}}
}

// Lacks is what the target would have to have for the case to mean anything there; nothing if it does.
func (c Case) Lacks(to Target) []Need {
	var lacks []Need
	if c.EmulatorOnly && !to.Emulator {
		lacks = append(lacks, AnEmulator)
	}
	for _, need := range c.Needs {
		if !slices.Contains(to.Has, need) {
			lacks = append(lacks, need)
		}
	}
	return lacks
}

// Applies says whether the case means anything on the target.
func (c Case) Applies(to Target) bool { return len(c.Lacks(to)) == 0 }

// Waits says how long a case will wait for the target's timeouts in real time.
func (c Case) Waits(on Target) time.Duration {
	if slices.Contains(on.Has, MovableClock) {
		return 0
	}
	return c.Slow
}

// Deadline is how long one case may take; the slowest waits twice for media that never comes.
// What Case.Waits says comes on top, and so does the wait for the pace at which a service is called.
const Deadline = 45 * time.Second

// Result is what became of one case.
type Result struct {
	Failures     []string
	Observations []Observation
	Steps        []Step // every exchange, note and failure, in order
	Elapsed      time.Duration
}

// Passed says whether the case proved its sentence.
func (r Result) Passed() bool { return len(r.Failures) == 0 }

// Run runs one case and everything that it registered for cleanup, which a panic of the case does not prevent. What the case left at a
// target that is no emulator is closed.
func Run(ctx context.Context, c Case, target Target) Result {
	deadline := Deadline
	if c.Within > 0 {
		deadline = c.Within
	}
	ctx, allowed, cancel := allow(ctx, deadline+c.Waits(target))
	defer cancel()
	t := newT(target)
	t.allowed = allowed
	defer t.http.CloseIdleConnections()
	t.id = c.ID
	t.observing = c.Observes
	t.runGuarded(func() { c.Run(ctx, t) })
	t.runGuarded(func() { t.tidy(ctx) }) // while its peers are still connected
	t.cleanUp()
	t.runGuarded(func() { t.tidyAccount(ctx) })
	if len(t.failures) == 0 && !c.Observes {
		t.checkDeclared(c)
	}
	target.Coverage.ended(c, len(t.failures) == 0, t.met, t.checked, t.called)
	return Result{Failures: t.failures, Observations: t.observations, Steps: t.steps, Elapsed: time.Since(t.begun)}
}

// checkDeclared keeps the tables of codes and operations honest: what a case claims to cover it must have checked.
func (t *T) checkDeclared(c Case) {
	for _, code := range c.Codes {
		if !t.checked[code] {
			t.Errorf("the case claims to check %s and did not", code)
		}
	}
	for _, op := range c.Operations {
		if !t.called[op] {
			t.Errorf("the case claims to call %s and did not", op)
		}
	}
}

// T is what a case works with: it records failures and holds the target's client.
type T struct {
	id           string // of the case
	made         made
	tidying      bool       // the case is over, and what it has left is closed
	endpoints    *endpoints // nil until the case wants one
	target       Target
	schema       *openapi.Document
	http         *http.Client
	begun        time.Time
	allowed      *allowance
	queued       time.Duration // spent waiting for the pace
	goes         func()        // of whenNextGoes; nil for nothing
	mask         mask
	failures     []string
	observing    bool // what would be a failure is an observation
	observations []Observation
	steps        []Step
	polls        int // how often the case has begun to poll
	tries        int // of the present poll, from 1; 0 for no poll
	cleanups     []func()
	checked      map[string]bool // Row.ID
	called       map[string]bool // operationId
	met          map[string]bool // demand of Coverage, or what is none
}

// fatal is what Fatalf panics with.
type fatal struct{}

func newT(target Target) *T {
	t := &T{target: target, http: target.HTTP, begun: time.Now(), checked: map[string]bool{}, called: map[string]bool{}, met: map[string]bool{}}
	for _, secret := range []string{target.Secret, target.TURNKeyToken, target.AccountToken, target.OtherAccountToken} {
		t.mask.learn(secret, strings.TrimPrefix(secret, secret[:min(1, len(secret))])) // cases also send one without its first letter
	}
	t.target.BaseURL = target.root()
	if t.http == nil {
		t.http = target.client()
	}
	t.schema = target.Schema
	if t.schema == nil {
		var err error
		if t.schema, err = openapi.Load(); err != nil {
			t.Errorf("openapi.yaml: %v", err)
		}
	}
	return t
}

func (t *T) runGuarded(f func()) {
	defer func() {
		if r := recover(); r != nil && r != any(fatal{}) {
			t.fail(fmt.Sprintf("the case itself is broken: panic: %v\n%s", r, debug.Stack()))
		}
	}()
	f()
}

func (t *T) cleanUp() {
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		f := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		t.runGuarded(f)
	}
}

// Errorf records a failure, or an observation in a case that observes; the case goes on.
func (t *T) Errorf(format string, args ...any) {
	failure := fmt.Sprintf(format, args...)
	if t.observing {
		t.unexpected(failure)
		return
	}
	t.fail(failure)
}

func (t *T) fail(failure string) {
	failure = t.mask.text(failure)
	t.failures = append(t.failures, failure)
	t.steps = append(t.steps, Step{At: time.Since(t.begun), Failure: failure})
}

// Fatalf records a failure and ends the case.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(fatal{})
}

// Logf adds a note to what is shown with a failure.
func (t *T) Logf(format string, args ...any) {
	t.steps = append(t.steps, Step{At: time.Since(t.begun), Note: t.mask.text(fmt.Sprintf(format, args...))})
}

// Cleanup registers what is to run after the case, newest first.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Must ends the case on an error.
func (t *T) Must(err error) {
	if err != nil {
		t.Fatalf("%v", err)
	}
}
