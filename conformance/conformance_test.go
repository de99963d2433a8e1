package conformance_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/internal/porttest"
	"github.com/callsemu/callsemu/openapi"
)

// TestMain lets more cases run beside each other than there are processors: most of them wait.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "12"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// TestContract runs every case against the target of the environment, or against an emulator in each of its modes.
func TestContract(t *testing.T) {
	target, err := targetOfEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	if target.BaseURL == "" {
		testDev(t)
		return
	}
	target = probed(t, target)
	if !slices.Contains(target.Has, conformance.Endpoints) {
		t.Log("most cases about adapters are left out: the target cannot reach the suite's WebSocket endpoint; set CALLS_ENDPOINT_URL to a public " +
			"wss:// URL that leads to CALLS_ENDPOINT_LISTEN, for example 127.0.0.1:9000")
	}
	run(t, target, true, conformance.Cases())
}

// testDev runs every case against an emulator in dev mode.
func testDev(t *testing.T) {
	target := probed(t, ofItself(t))
	all := []conformance.Need{
		conformance.TCPMedia, conformance.TURN, conformance.TURNOverTLS, conformance.Endpoints, conformance.AccountAPI,
		conformance.FixableEstimate, conformance.MovableClock, conformance.Explanations, conformance.OpenApps,
		conformance.TakesOverlaps, conformance.TakesOffers, conformance.OpenPeers,
	}
	slices.Sort(all)
	if !target.Emulator || !slices.Equal(target.Has, all) {
		t.Errorf("the emulator in dev mode is taken for %+v", target)
	}
	run(t, target, false, conformance.Cases())
}

// configuration is an emulator, and a way to it.
type configuration struct {
	edit  func(*emulator.Config)
	https bool
	route conformance.Route
	needs []conformance.Need // cases that need one of these are chosen as well
	// service: behind a stand-in for the real service, whose cases are those that show how the suite behaves there.
	service []string
	far     *distance         // to the stand-in; nil for one that is near
	only    conformance.Need  // cases that do not need it are left out
	fails   map[string]string // the cases that cannot pass there, by id, with the reason
}

// Why cases cannot pass.
const (
	uncut     = "the suite's peers cannot vanish from a TCP connection"
	udpChecks = "the SFU sends a third party's checks over UDP alone"
)

// configurations are all but dev mode over HTTP, which TestContract is about.
var configurations = map[string]configuration{
	"real": {edit: editReal, needs: []conformance.Need{conformance.SeededApps, conformance.AccountAPI, conformance.IPv4Media}},
	"strict": {edit: func(c *emulator.Config) {
		c.Mode = strictMode
		c.Accounts = map[string]string{"first": canary + "-first"} // another one than the app's secret
	}},
	"https": {https: true},
	"tcp": {route: conformance.OverTCP, fails: map[string]string{
		"wait/lost": uncut, "life/lost": uncut, "life/lost-and-back": uncut, "flow/8-whip-whep": uncut,
		"push/candidates":      "a peer with active TCP alone has no candidate for its offer",
		"unoffered/thirdparty": udpChecks, "flow/9-relay": udpChecks,
	}},
	"service": {edit: editReal, service: []string{
		"auth/secret", "http/cors", "http/chunked", "http/path", "session/read-beside", "push/second", "pull/batch", "close/forced", "discover/new",
		"delivery/fan-out", "delivery/ack-late", "flow/10-video-room", "wait/push", "hostile/requests", "hostile/vanished",
		"turn/list", "turn/object", "turn/revoke", "account/app", "field/createApp/name",
	}},
	"service with endpoints": {service: []string{"adapters/pcm-out", "adapters/handshake", "adapters/repeated"}, only: conformance.Endpoints},
	// A quarter of a second away, by a way that loses packets. Dev mode's TURN server lets relays through to that way.
	"service far away": {far: &distance{oneWay: 125 * time.Millisecond, loses: 0.01}, service: []string{
		"push/second", "media/continuous", "media/fir", "simulcast/preferred-vp8", "update/source", "delivery/fan-out", "wait/empty-track", "turn/relay-udp",
	}},
	"turn": {route: conformance.OverTURN, fails: map[string]string{
		"push/candidates": "a peer behind a relay always has its candidate in its offer",
	}},
}

// editReal seeds two accounts besides. Their tokens are none of an app's.
func editReal(c *emulator.Config) {
	c.Mode = realMode
	c.Accounts = map[string]string{"first": canary + "-first", "other": canary + "-other"}
}

// chosen are the cases that run in every configuration. With -all, all do.
var chosen = []string{
	"auth/secret", "http/cors", "session/new", "push/second", "push/repeated-name", "pull/batch", "pull/partial-failure", "pull/each-other",
	"renegotiate/replay", "close/forced", "update/source", "simulcast/switch", "bidirectional/offered", "discover/new", "pull-offer/by-order",
	"codec/one-each", "establish/offered", "delivery/fan-out", "flow/10-video-room", "account/app",
}

var all = flag.Bool("all", false, "run every case in every configuration")

// TestConfigurations runs the chosen cases against emulators that are set up and reached otherwise, whatever target is given.
func TestConfigurations(t *testing.T) {
	for name := range configurations {
		t.Run(name, func(t *testing.T) { testConfiguration(t, name) })
	}
}

func testConfiguration(t *testing.T, name string) {
	configuration := configurations[name]
	cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool { return !configuration.runs(c) })
	if configuration.service != nil {
		testService(t, configuration, cases)
		return
	}
	edit := configuration.edit
	if edit == nil {
		edit = func(*emulator.Config) {}
	}
	inIt := func(t *testing.T) conformance.Target {
		target, secure := inProcessWith(t, edit)
		if configuration.https {
			target.BaseURL = secure
		}
		target.Route = configuration.route
		return target
	}
	target := inIt(t)
	if name == "real" {
		target.OtherAccountToken = canary + "-other"
	}
	target = probed(t, target)
	if name == "real" && (!slices.Contains(target.Has, conformance.SeededApps) || !slices.Contains(target.Has, conformance.TwoAccounts)) {
		t.Fatalf("the emulator in real mode is taken for %+v", target)
	}
	runIn(t, target, inIt, cases)
}

// testService runs the cases as at the real service, and looks at what that has seen of the guest.
func testService(t *testing.T, configuration configuration, cases []conformance.Case) {
	edit := configuration.edit
	if edit == nil {
		edit = func(*emulator.Config) {}
	}
	target, service := behindStandIn(t, inProcess(t, edit), configuration.far)
	if configuration.only == conformance.Endpoints {
		at := porttest.Reserve(t)
		target.Endpoint = conformance.Endpoint{URL: "ws://" + at, Listen: at}
	} else {
		target.OtherAccountToken = canary + "-other"
	}
	target = probed(t, target)
	if target.Emulator || slices.Contains(target.Has, conformance.MovableClock) || slices.Contains(target.Has, conformance.Explanations) {
		t.Fatalf("the stand-in is taken for %+v", target)
	}
	probes, ran := len(service.calls), 0
	conformance.Suite{Target: target, Cases: cases}.Run(t.Context(), func(e conformance.Event) { // as the command does, long waits beside the rest
		if e.Status == "" {
			return
		}
		ran++
		t.Run(e.Case.ID, func(t *testing.T) {
			checkObservations(t, e.Case, e.Result)
			wantPassed(t, e.Case, e.Result)
			service.wantClosed(t, e.Result)
		})
	})
	if !*all && ran != len(configuration.service) {
		t.Errorf("%d cases ran, %d are chosen", ran, len(configuration.service))
	}
	service.wantTidy(t)
	service.wantPace(t, probes)
}

// runs says whether the case is to run in the configuration.
func (c configuration) runs(one conformance.Case) bool {
	if _, fails := c.fails[one.ID]; fails || c.only != "" && !slices.Contains(one.Needs, c.only) {
		return false
	}
	few := chosen
	if c.service != nil {
		few = c.service
	}
	return *all || slices.Contains(few, one.ID) || slices.ContainsFunc(one.Needs, func(n conformance.Need) bool { return slices.Contains(c.needs, n) })
}

// TestWhatStrictModeRefusesIsLeftOutThere: with the zone and without; what calls itself no emulator has no such excuse.
func TestWhatStrictModeRefusesIsLeftOutThere(t *testing.T) {
	refused := []conformance.Need{conformance.TakesOverlaps, conformance.TakesOffers}
	in := func(edit func(*emulator.Config)) conformance.Target { return inProcess(t, edit) }
	service, _ := behindStandIn(t, in(func(c *emulator.Config) { c.Mode = strictMode }), nil)
	for name, c := range map[string]struct {
		target conformance.Target
		lacks  bool
	}{
		"dev":                  {in(func(*emulator.Config) {}), false},
		"real":                 {in(func(c *emulator.Config) { c.Mode = realMode }), false},
		"strict":               {in(func(c *emulator.Config) { c.Mode = strictMode }), true},
		"strict, without zone": {in(func(c *emulator.Config) { c.Mode, c.HideEmu = strictMode, true }), true},
		"a service":            {service, false},
	} {
		target, out := probed(t, c.target), []string{}
		for _, p := range (conformance.Suite{Target: target}).Plan() {
			if slices.ContainsFunc(p.Lacks, func(n conformance.Need) bool { return slices.Contains(refused, n) }) {
				out = append(out, p.Case.ID)
			}
		}
		slices.Sort(out)
		want := []string{}
		if c.lacks {
			want = []string{"restart/bad-sdp", "restart/ice", "restart/offer", "session/in-order"}
		}
		if !slices.Equal(out, want) {
			t.Errorf("%s: %q are left out, want %q", name, out, want)
		}
	}
}

// TestASecretMayBeShort: one letter stands in every explanation, and means nothing there.
func TestASecretMayBeShort(t *testing.T) {
	target := probed(t, inProcess(t, func(c *emulator.Config) { c.Apps = map[string]string{"app": "b"} }))
	if target.Secret != "b" {
		t.Fatalf("the secret is %q", target.Secret)
	}
	for _, id := range []string{"auth/secret", "auth/first", "malformed/order", "session/unknown"} {
		c := caseByID(t, id)
		wantPassed(t, c, conformance.Run(t.Context(), c, target))
	}
}

// TestProbeSaysWhomToTrustForTURN: an emulator that shows its CA to nobody has a certificate all the same.
func TestProbeSaysWhomToTrustForTURN(t *testing.T) {
	target := inProcess(t, func(c *emulator.Config) { c.HideEmu = true })
	if _, err := conformance.Probe(t.Context(), target); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	target.TLSRoots = nil
	_, err := conformance.Probe(t.Context(), target)
	if err == nil || !strings.Contains(err.Error(), "TURN server is not trusted (x509: ") || !strings.Contains(err.Error(), "--ca-file") {
		t.Errorf("the error is %v", err)
	}
}

// TestOnlyDevModeMayOfferMoreAddresses: DEV-5 is the excuse of an emulator that calls itself so, and of nothing else.
func TestOnlyDevModeMayOfferMoreAddresses(t *testing.T) {
	in := func(edit func(*emulator.Config)) conformance.Target { return inProcess(t, edit) }
	dev := func(*emulator.Config) {}
	service, _ := behindStandIn(t, in(dev), nil)
	for name, c := range map[string]struct {
		target conformance.Target
		want   bool
	}{
		"dev":       {in(dev), false},
		"real":      {in(func(c *emulator.Config) { c.Mode = realMode }), true},
		"strict":    {in(func(c *emulator.Config) { c.Mode = strictMode }), true},
		"a service": {service, true},
	} {
		if target := probed(t, c.target); slices.Contains(target.Has, conformance.IPv4Media) != c.want {
			t.Errorf("%s: the probe finds %q", name, target.Has)
		}
	}
}

func TestChosenCasesExist(t *testing.T) {
	if len(chosen) != 20 {
		t.Errorf("%d cases are chosen", len(chosen))
	}
	for _, id := range chosen {
		caseByID(t, id)
	}
	for name, configuration := range configurations {
		for _, id := range configuration.service {
			if caseByID(t, id).EmulatorOnly {
				t.Errorf("%s: the chosen case %s is for emulators only", name, id)
			}
		}
		for id := range configuration.fails {
			if caseByID(t, id); slices.Contains(chosen, id) {
				t.Errorf("%s: the chosen case %s fails there", name, id)
			}
		}
	}
}

// run runs the cases as the suite plans them. Those that move the clock have an emulator each, unless the target is a given one.
func run(t *testing.T, target conformance.Target, given bool, cases []conformance.Case) {
	own := func(t *testing.T) conformance.Target { return inProcess(t, func(*emulator.Config) {}) }
	if given {
		own = nil
	}
	runIn(t, target, own, cases)
}

// runIn is run with what makes an emulator; nil for a given target.
func runIn(t *testing.T, target conformance.Target, own func(*testing.T) conformance.Target, cases []conformance.Case) {
	suite := conformance.Suite{Target: target, Cases: cases}
	if own != nil {
		suite.Own = func(context.Context) (conformance.Target, func(), error) { return own(t), func() {}, nil }
	}
	for _, p := range suite.Plan() {
		if p.Lacks != nil {
			continue
		}
		t.Run(p.Case.ID, func(t *testing.T) {
			if p.Lane == conformance.Beside {
				t.Parallel()
			}
			if p.Waits > 0 {
				t.Logf("waits for timeouts of %s", p.Waits)
			}
			suite := suite
			if own != nil { // it ends with this test
				suite.Own = func(context.Context) (conformance.Target, func(), error) { return own(t), func() {}, nil }
			}
			result := suite.Do(t.Context(), p)
			if own != nil {
				checkObservations(t, p.Case, result)
			}
			wantPassed(t, p.Case, result)
		})
	}
}

func wantPassed(t *testing.T, c conformance.Case, result conformance.Result) {
	t.Helper()
	if result.Passed() {
		return
	}
	t.Errorf("%s [contract %s, %s]\n%s\nlog:\n%s", c.Sentence, c.Section, c.Mark,
		strings.Join(result.Failures, "\n"), strings.Join(result.Log(), "\n"))
}

// checkObservations: at an emulator every observing case gets to its end, and sees something under names of their own.
func checkObservations(t *testing.T, c conformance.Case, result conformance.Result) {
	names := map[string]bool{}
	for _, o := range result.Observations {
		if strings.HasPrefix(o.Name, conformance.Unexpected) || names[o.Name] || o.Value == "" {
			t.Errorf("%s = %q is an unexpected observation, or empty, or the second of its name", o.Name, o.Value)
		}
		names[o.Name] = true
	}
	if c.Observes != (len(names) > 0) {
		t.Errorf("%d observations", len(names))
	}
}

func probed(t *testing.T, target conformance.Target) conformance.Target {
	target, err := conformance.Probe(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	target.Schema = loadSchema(t)
	return target
}

// stopper ends a context when an answer has the status.
type stopper struct {
	http.RoundTripper
	status int
	stop   func()
}

func (s stopper) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err == nil && response.StatusCode == s.status {
		s.stop()
	}
	return response, err
}

// TestNothingIsLeftAtAService runs cases as if the emulator were the real service, to the end and cut off, and looks at what is left of them.
func TestNothingIsLeftAtAService(t *testing.T) {
	target := probed(t, inProcess(t, func(*emulator.Config) {}))
	target.Emulator = false
	roots := strings.TrimSuffix(target.BaseURL, "/v1")
	for id, call := range map[string]string{
		"push/second": "/tracks/close", "pull/batch": "/tracks/close", "delivery/fan-out": "/datachannels/close",
		"adapters/pcm-out": "/adapters/websocket/close", "turn/list": "/***/revoke",
	} {
		result := conformance.Run(t.Context(), caseByID(t, id), target)
		if !result.Passed() {
			t.Errorf("%s: %q", id, result.Failures)
		}
		closed := 0
		for _, s := range result.Steps {
			if x := s.Exchange; x != nil && strings.Contains(x.URL, call) && x.Status/100 == 2 && !strings.Contains(x.Response.Body, "errorCode") {
				closed++
			}
		}
		if closed == 0 {
			t.Errorf("%s: nothing was closed by %s", id, call)
		}
	}
	for _, id := range []string{"account/app", "account/turn-key", "turn/made-key"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cut := target
		transport := &http.Transport{}
		cut.HTTP = &http.Client{Transport: stopper{transport, http.StatusCreated, cancel}}
		defer transport.CloseIdleConnections()
		if result := conformance.Run(ctx, caseByID(t, id), cut); result.Passed() {
			t.Errorf("%s is not cut off", id)
		}
	}
	for _, path := range []string{"/calls/apps", "/calls/turn_keys"} {
		var list struct{ Result []struct{ UID, Name string } }
		ask(t, roots+"/client/v4/accounts/"+target.AccountID+path, target.AccountToken, &list)
		for _, item := range list.Result {
			if item.Name != "" {
				t.Errorf("%s still has %+v", path, item)
			}
		}
	}
}

// TestEndpointsShareOneAddress: where one address leads to the suite, a case with several endpoints has them all there.
func TestEndpointsShareOneAddress(t *testing.T) {
	at := porttest.Reserve(t)
	target := probed(t, inProcess(t, func(*emulator.Config) {}))
	target.Endpoint = conformance.Endpoint{URL: "ws://" + at, Listen: at}
	for _, id := range []string{"adapters/handshake", "fault/closeAdapters-partly"} {
		if result := conformance.Run(t.Context(), caseByID(t, id), target); !result.Passed() {
			t.Errorf("%s: %q", id, result.Failures)
		}
	}
}

// ask reads a JSON answer.
func ask(t *testing.T, url, token string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("%s: status %d: %v", url, response.StatusCode, err)
	}
}

// These are session.ModeReal and session.ModeStrict: of the emulator's packages this file imports emulator alone. Were they wrong,
// the probe would tell, and the cases that strict mode fails.
const (
	realMode   = 1
	strictMode = 2
)

// ofItself is an emulator as it is without settings, for the other files, which do not know its package.
func ofItself(t *testing.T) conformance.Target { return inProcess(t, func(*emulator.Config) {}) }

func inProcess(t *testing.T, edit func(*emulator.Config)) conformance.Target {
	target, _ := inProcessWith(t, edit)
	return target
}

// inProcessWith is inProcess, and gives the base URL of HTTPS as well.
func inProcessWith(t *testing.T, edit func(*emulator.Config)) (target conformance.Target, secure string) {
	log := &secretless{t: t}
	e := emulator.RunT(quiet{t}, func(c *emulator.Config) {
		c.STUN = "127.0.0.1:0"
		c.Accounts = map[string]string{"account": canary}
		c.Apps = map[string]string{strings.Repeat("a", 32): canary}
		c.TURNKeys = map[string]string{strings.Repeat("b", 32): canary + "-turn"}
		c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, edit)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA())
	return conformance.Target{BaseURL: e.BaseURL(), AppID: e.AppID(), Secret: e.Secret(),
		TURNKeyID: e.TURNKeyID(), TURNKeyToken: e.TURNKeyToken(), TLSRoots: roots, Coverage: coverage(),
		AccountID: e.AccountID(), AccountToken: e.AccountToken()}, e.HTTPSURLs()[0]
}

// canary is every seeded secret, or its beginning.
const canary = "canary-that-no-log-may-have"

// secrets are what no line of a log may have: seeded secrets, and what has the form of a secret, a TURN username or credential,
// or an ICE password.
var secrets = regexp.MustCompile(canary + `|\b[0-9a-f]{64}\b|g0[0-9a-f]{62}|ice-pwd:[A-Za-z0-9+/]`)

// secretless is a log that fails the test for each kind of line with a secret in it.
type secretless struct {
	t *testing.T

	mu    sync.Mutex
	found map[string]bool
}

func (w *secretless) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := string(secrets.Find(line)); found != "" && !w.found[found] {
		if w.found == nil {
			w.found = map[string]bool{}
		}
		w.found[found] = true
		w.t.Errorf("a secret in the log: %s", line)
	}
	return len(line), nil
}

// quiet keeps the emulator's log out of the suite's, which has every exchange already.
type quiet struct{ *testing.T }

func (quiet) Logf(string, ...any) {}

func loadSchema(t *testing.T) *openapi.Document {
	schema, err := openapi.Load()
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestCasesAreWellFormed(t *testing.T) {
	marks := []conformance.Mark{conformance.Doc, conformance.Recorded, conformance.Seen, conformance.Inferred}
	ids, rows := map[string]bool{}, map[string]bool{}
	for _, row := range conformance.Rows() {
		rows[row.ID] = true
	}
	for _, c := range conformance.Cases() {
		if c.ID == "" || ids[c.ID] || c.Sentence == "" || !strings.HasSuffix(c.Sentence, ".") && (!c.Observes || !strings.HasSuffix(c.Sentence, "?")) || c.Section == "" || c.Run == nil {
			t.Errorf("case %q is not unique or lacks a sentence, a section or a function", c.ID)
		}
		if !slices.Contains(marks, c.Mark) {
			t.Errorf("case %q has the mark %q", c.ID, c.Mark)
		}
		for _, code := range c.Codes {
			if !rows[code] {
				t.Errorf("case %q names the error %q, which is no row of conformance/catalogue.go", c.ID, code)
			}
		}
		ids[c.ID] = true
	}
}

func TestEveryRowHasACase(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range conformance.Cases() {
		for _, code := range c.Codes {
			covered[code] = true
		}
	}
	for _, row := range conformance.Rows() {
		if !covered[row.ID] {
			t.Errorf("no case provokes %s: none has it among its Codes", row.ID)
		}
	}
}

// schemaCode finds the codes among the demands: of a whole answer (errorCode), of one item (tracks[].errorCode), or of the
// account API (errors[].code).
var schemaCode = regexp.MustCompile(`^(\w+) (\d{3}): (?:(errorCode)|\S+\.errorCode|(errors\[\]\.code)) = (.+)$`)

// codeForm is what clients accept as a code; they replace another one (contract 9.4).
var codeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,79}$`)

// TestEveryCodeOfTheSchemaHasARow compares the suite's rows with the codes that openapi.yaml lists. A row that leaves its code
// open stands for every code of its status.
func TestEveryCodeOfTheSchemaHasARow(t *testing.T) {
	open := func(status string, account bool) string { return fmt.Sprintf("any of %s, account %t", status, account) }
	known := map[string]bool{} // a code; status and code; what an open row stands for
	for _, row := range conformance.Rows() {
		status := strconv.Itoa(row.Status)
		if row.Code == "" {
			known[open(status, strings.HasSuffix(row.ID, " account"))] = true
			continue
		}
		known[row.Code], known[status+" "+row.Code] = true, true
	}
	listed := map[string]bool{}
	for _, demand := range conformance.Demands(loadSchema(t)) {
		form := schemaCode.FindStringSubmatch(demand)
		if form == nil {
			continue
		}
		status, whole, account, code := form[2], form[3] != "", form[4] != "", form[5]
		listed[code] = true
		if !account && !codeForm.MatchString(code) {
			t.Errorf("clients do not accept the code of %q", demand)
		}
		if item := !whole && !account; !known[status+" "+code] && !known[open(status, account)] && (!item || !known[code]) {
			t.Errorf("no row of conformance/catalogue.go has the code of %q", demand)
		}
	}
	if len(listed) < 25 {
		t.Fatalf("openapi.yaml lists only the codes %v", listed)
	}
}

func TestEveryOperationHasACase(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range conformance.Cases() {
		for _, op := range c.Operations {
			covered[op] = true
		}
	}
	for path, item := range loadSchema(t).Spec().Paths.Map() {
		if !strings.HasPrefix(path, "/apps/") && !strings.HasPrefix(path, "/client/v4/") && !strings.HasPrefix(path, "/turn/") {
			continue // the emulator's own zone is no part of the contract
		}
		for _, op := range item.Operations() {
			if !covered[op.OperationID] {
				t.Errorf("no case is about %s", op.OperationID)
			}
			delete(covered, op.OperationID)
		}
	}
	for op := range covered {
		t.Errorf("cases are about %s, which openapi.yaml does not have", op)
	}
}
