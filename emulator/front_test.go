package emulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/openapi"
)

// rig is an emulator in real mode with one app, a client and the log.
type rig struct {
	t      testing.TB
	e      *Emulator
	client *http.Client
	log    *lockedBuffer
	emu    *openapi.Document // of the zone; loaded at its first call
}

const appID, secret = "shop", "open-sesame"

// theRig is held by the one rig that lives. What another one starts meanwhile, such as a goroutine for each read of DTLS, would be
// taken for a leak of this one.
var theRig sync.Mutex

func newRig(t testing.TB, edit ...func(*Config)) *rig {
	t.Helper()
	if !theRig.TryLock() {
		t.Fatal("another rig lives; give each its own t.Run")
	}
	t.Cleanup(theRig.Unlock)
	r := &rig{t: t, log: &lockedBuffer{}}
	before := goleak.IgnoreCurrent() // a benchmark has goroutines of its own
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	r.e = RunT(t, append([]func(*Config){func(c *Config) {
		c.Mode = session.ModeReal
		c.Apps = map[string]string{appID: secret}
		c.Logger = slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}}, edit...)...)
	transport := &http.Transport{}
	r.client = &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(transport.CloseIdleConnections)
	return r
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the errorCode of the body.
func (a answer) code() string {
	var e wire.Error
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Code
}

// do sends a request; path begins at the root, header is "Name: value" lines.
func (r *rig) do(method, path string, body io.Reader, header ...string) answer {
	r.t.Helper()
	root := strings.TrimSuffix(r.e.BaseURL(), "/v1")
	req, err := http.NewRequestWithContext(r.t.Context(), method, root+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

const bearerOK = "Authorization: Bearer " + secret

func (r *rig) newSession() string {
	r.t.Helper()
	a := r.do("POST", "/v1/apps/shop/sessions/new", nil, bearerOK)
	var out wire.NewSessionResponse
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 201 || len(out.SessionID) != 32 {
		r.t.Fatalf("sessions/new: %d %s", a.status, a.body)
	}
	return out.SessionID
}

func TestChecksComeInTheOrderOfTheContract(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Rules.MaxBody = 1000 })
	id := r.newSession()
	big := strings.Repeat("{", 1001)
	for _, c := range []struct {
		name, method, path, auth, body string
		status                         int
		code                           string
	}{
		{"no header before unknown app", "POST", "/v1/apps/none/sessions/new", "", "", 401, "unauthorized"},
		{"no header before unknown route", "GET", "/v1/apps/shop/nothing", "", "", 401, "unauthorized"},
		{"no header before method", "PATCH", "/v1/apps/shop/sessions/new", "", "", 401, "unauthorized"},
		{"not Bearer", "POST", "/v1/apps/shop/sessions/new", "Basic " + secret, "", 401, "unauthorized"},
		{"Bearer without token", "POST", "/v1/apps/shop/sessions/new", "Bearer ", "", 401, "unauthorized"},
		{"token without scheme", "POST", "/v1/apps/shop/sessions/new", secret, "", 401, "unauthorized"},
		{"unknown app before route", "GET", "/v1/apps/none/nothing", "Bearer x", "", 404, "not_found"},
		{"wrong secret before method", "PATCH", "/v1/apps/shop/sessions/new", "Bearer x", "", 401, "unauthorized"},
		{"wrong secret before decoding", "POST", "/v1/apps/shop/sessions/new", "Bearer x", "{}", 401, "unauthorized"},
		{"method before size", "POST", "/v1/apps/shop/sessions/" + id + "/renegotiate", "Bearer " + secret, big, 405, "method_not_allowed"},
		{"size before syntax", "PUT", "/v1/apps/shop/sessions/" + id + "/renegotiate", "Bearer " + secret, big, 413, "payload_too_large"},
		{"syntax", "PUT", "/v1/apps/shop/sessions/" + id + "/renegotiate", "Bearer " + secret, "{", 400, "decoding_error"},
		{"syntax before session", "PUT", "/v1/apps/shop/sessions/none/renegotiate", "Bearer " + secret, "{", 400, "decoding_error"},
		{"no body where one belongs", "POST", "/v1/apps/shop/sessions/" + id + "/tracks/new", "Bearer " + secret, "", 400, "decoding_error"},
		{"values before session", "PUT", "/v1/apps/shop/sessions/none/tracks/close", "Bearer " + secret, `{"tracks":[],"force":true}`, 406, "invalid_params"},
		{"session", "POST", "/v1/apps/shop/sessions/none/tracks/new", "Bearer " + secret,
			`{"tracks":[{"location":"remote","sessionId":"x","trackName":"y"}]}`, 410, "session_error"},
		{"session of GET", "GET", "/v1/apps/shop/sessions/none", "Bearer " + secret, "", 410, "session_error"},
		{"empty object for a new session", "POST", "/v1/apps/shop/sessions/new", "Bearer " + secret, "{}", 400, "decoding_error"},
		{"DELETE of a session", "DELETE", "/v1/apps/shop/sessions/" + id, "Bearer " + secret, "", 405, "method_not_allowed"},
		{"GET of sessions/new is no session", "GET", "/v1/apps/shop/sessions/new", "Bearer " + secret, "", 405, "method_not_allowed"},
		{"DELETE of sessions/new", "DELETE", "/apps/shop/sessions/new", "Bearer " + secret, "", 405, "method_not_allowed"},
		{"close by POST", "POST", "/v1/apps/shop/sessions/" + id + "/tracks/close", "Bearer " + secret, "{}", 405, "method_not_allowed"},
		{"unknown route", "GET", "/v1/apps/shop/nothing", "Bearer " + secret, "", 404, "not_found"},
		{"trailing slash", "POST", "/v1/apps/shop/sessions/new/", "Bearer " + secret, "", 404, "not_found"},
		{"double slash is not redirected", "POST", "/v1//apps/shop/sessions/new", "Bearer " + secret, "", 404, "not_found"},
		{"outside the API", "GET", "/", "", "", 404, "not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := []string{"Origin: https://app.example"}
			if c.auth != "" {
				header = append(header, "Authorization: "+c.auth)
			}
			a := r.do(c.method, c.path, strings.NewReader(c.body), header...)
			if a.status != c.status || a.code() != c.code {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
			wantHeaders(t, a, "https://app.example")
		})
	}
}

// wantHeaders checks what every answer of the API carries.
func wantHeaders(t *testing.T, a answer, origin string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Vary": "Origin", "Access-Control-Allow-Origin": origin,
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestDeleteTextSpeaksOfWHIP(t *testing.T) {
	r := newRig(t)
	if a := r.do("DELETE", "/v1/apps/shop/sessions/x", nil, bearerOK); !strings.Contains(a.body, "WHIP/WHEP") {
		t.Errorf("got %s", a.body)
	}
}

func TestBothPrefixesServeAndQueryIsIgnored(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{
		"/v1/apps/shop/sessions/new", "/apps/shop/sessions/new", "/apps/shop/sessions/new?",
		"/apps/shop/sessions/new?streamDebug&correlationId=a%20b&x=1",
	} {
		a := r.do("POST", path, nil, "Authorization: bEARER "+secret)
		if a.status != 201 || strings.Contains(a.body, "errorCode") {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
		wantHeaders(t, a, "")
	}
	id := r.newSession()
	if a := r.do("GET", "/apps/shop/sessions/"+id, strings.NewReader("null"), bearerOK); a.status != 200 {
		t.Errorf("GET of a session: %d %s", a.status, a.body)
	}
}

func TestContentTypeIsNotAskedFor(t *testing.T) {
	r := newRig(t)
	for _, header := range []string{"Content-Type: text/plain;charset=UTF-8", "Content-Type: application/json", "X-None: 1"} {
		body := strings.NewReader(`{"tracks":[]}`)
		chunked := struct{ io.Reader }{body} // a length that is not known is sent chunked
		a := r.do("POST", "/v1/apps/shop/sessions/x/tracks/new", chunked, bearerOK, header)
		if a.status != 406 || a.code() != "invalid_params" {
			t.Errorf("%s: got %d %s", header, a.status, a.body)
		}
		if a := r.do("POST", "/v1/apps/shop/sessions/new", nil, bearerOK, header); a.status != 201 {
			t.Errorf("%s, no body: got %d %s", header, a.status, a.body)
		}
	}
}

func TestDevModeTakesAnyAppButNotAnyHeader(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	for _, c := range []struct {
		app, header string
		status      int
	}{
		{"never-seen", "Authorization: Bearer anything", 201},
		{"never-seen", "X-None: 1", 401},
		{"never-seen", "Authorization: Basic anything", 401},
		{appID, "Authorization: Bearer wrong", 401},
		{appID, bearerOK, 201},
	} {
		if a := r.do("POST", "/v1/apps/"+c.app+"/sessions/new", nil, c.header); a.status != c.status {
			t.Errorf("%s with %s: got %d, want %d", c.app, c.header, a.status, c.status)
		}
	}
}

func TestPreflightAllowsAuthorizationAndPut(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/v1/apps/shop/sessions/x/renegotiate", "/apps/any/sessions/new"} {
		a := r.do("OPTIONS", path, nil, "Origin: https://app.example",
			"Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization,x-own")
		if a.status != 204 || a.body != "" {
			t.Errorf("got %d %q", a.status, a.body)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":  "https://app.example",
			"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
			"Access-Control-Allow-Headers": "authorization,x-own",
			"Access-Control-Max-Age":       corsMaxAge,
			"Vary":                         "Origin",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	a := r.do("OPTIONS", "/v1/apps/shop/sessions/new", nil, "Origin: https://app.example")
	if got := a.header.Get("Access-Control-Allow-Headers"); got != "authorization, content-type" {
		t.Errorf("unasked: Access-Control-Allow-Headers is %q", got)
	}
}

// TestPreflightOpensThePrivateNetworkWhereItIsAsked: the API alone, and never to what asks for nothing.
func TestPreflightOpensThePrivateNetworkWhereItIsAsked(t *testing.T) {
	r := newRig(t)
	const allow = "Access-Control-Allow-Private-Network"
	page := []string{"Origin: https://app.example", "Access-Control-Request-Method: POST"}
	for path, want := range map[string]string{
		"/v1/apps/shop/sessions/new": "true", "/apps/shop/sessions/new": "true", "/v1/turn/keys/k/credentials/generate": "true",
		"/_emu/state": "", "/_emu/reset": "", "/client/v4/accounts/a/calls/apps": "", "/healthz": "true",
	} {
		a := r.do("OPTIONS", path, nil, append(page, "Access-Control-Request-Private-Network: true")...)
		if got := a.header.Get(allow); got != want || (a.status == 204) != (want == "true") {
			t.Errorf("%s: %d with %q, want %q", path, a.status, got, want)
		}
		if a := r.do("OPTIONS", path, nil, page...); a.header.Get(allow) != "" {
			t.Errorf("%s: unasked: %v", path, a.header)
		}
	}
	if a := r.do("POST", "/v1/apps/shop/sessions/new", nil, bearerOK, "Access-Control-Request-Private-Network: true"); a.header.Get(allow) != "" {
		t.Errorf("a call: %v", a.header)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestHugeBodyIsRefusedWithoutHoldingIt(t *testing.T) {
	r := newRig(t)
	id := r.newSession()
	const size = 100 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, path := range []string{"/v1/apps/shop/sessions/new", "/v1/apps/shop/sessions/" + id + "/tracks/new"} {
		a := r.do("POST", path, io.LimitReader(zeros{}, size), bearerOK)
		if a.status != 413 || a.code() != "payload_too_large" {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 30<<20 {
		t.Errorf("%d MiB allocated for two bodies of %d MiB", used>>20, size>>20)
	}
	if a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK); a.status != 200 {
		t.Errorf("the session afterwards: %d %s", a.status, a.body)
	}
}

func TestClientThatReadsOnlyAfterSendingGetsItsRefusal(t *testing.T) {
	r := newRig(t)
	const size = 20 << 20
	for _, c := range []struct {
		method, path, auth string
		status             int
	}{
		{"POST", "/v1/apps/shop/sessions/new", bearerOK, 413},
		{"POST", "/v1/apps/shop/sessions/new", "Authorization: Bearer wrong", 401},
		{"POST", "/v1/apps/none/sessions/new", bearerOK, 404},
		{"POST", "/v1/apps/shop/none", bearerOK, 404},
		{"POST", "/none", bearerOK, 404},
		{"PUT", "/v1/apps/shop/sessions/new", bearerOK, 405},
		{"POST", "/v1/apps/shop/adapters/websocket/new", bearerOK, 413},
		{"GET", "/v1/apps/shop/sessions/none", bearerOK, 410},
		{"POST", "/_emu/reset", bearerOK, 413},
	} {
		t.Run(c.method+c.path+" "+strconv.Itoa(c.status), func(t *testing.T) {
			conn := dial(t, r.e.listen.String())
			reader := bufio.NewReader(conn)
			for range 2 { // the connection stays usable
				mustWrite(t, conn, fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n",
					c.method, c.path, c.auth, size))
				mustWrite(t, conn, make([]byte, size))
				resp, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != c.status || err != nil {
					t.Errorf("got %s, %v", resp.Status, err)
				}
			}
		})
	}
}

func TestClientThatWaitsForContinueIsRefusedAtOnce(t *testing.T) {
	r := newRig(t)
	conn := dial(t, r.e.listen.String())
	mustWrite(t, conn, []byte("POST /v1/apps/shop/sessions/new HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 401 || !resp.Close {
		t.Errorf("got %s, and the connection closes: %v", resp.Status, resp.Close)
	}
}

// lines returns the log's lines of API calls.
func (r *rig) lines() (list []map[string]any) {
	for line := range bytes.Lines(r.log.Bytes()) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			r.t.Fatalf("log line %q: %v", line, err)
		}
		if fields["msg"] == "api" {
			list = append(list, fields)
		}
	}
	return list
}

func TestEveryCallIsOneLogLineWithoutSecrets(t *testing.T) {
	r := newRig(t)
	id := r.newSession()
	r.do("GET", "/v1/apps/shop/sessions/"+id+"?correlationId=q", nil, bearerOK)
	r.do("GET", "/v1/apps/shop/sessions/none", nil, bearerOK)
	r.do("POST", "/v1/apps/shop/sessions/new", nil, "Authorization: Bearer not-"+secret)
	mustWaitFor(t, "four lines", func() bool { return len(r.lines()) == 4 })
	lines := r.lines()
	for i, want := range []map[string]any{
		{"level": "INFO", "method": "POST", "path": "/v1/apps/shop/sessions/new", "status": 201.0, "session": id},
		{"level": "INFO", "method": "GET", "path": "/v1/apps/shop/sessions/" + id, "status": 200.0, "session": id},
		{"level": "WARN", "method": "GET", "path": "/v1/apps/shop/sessions/none", "status": 410.0, "session": "none", "code": "session_error"},
		{"level": "WARN", "method": "POST", "path": "/v1/apps/shop/sessions/new", "status": 401.0, "session": nil, "code": "unauthorized"},
	} {
		for key, value := range want {
			if got, found := lines[i][key]; got != value || found != (value != nil) {
				t.Errorf("line %d: %s is %v, want %v", i, key, lines[i][key], value)
			}
		}
		text, _ := lines[i]["took"].(string)
		if took, err := time.ParseDuration(text); err != nil || took <= 0 {
			t.Errorf("line %d: took is %v", i, lines[i]["took"])
		}
		if why, _ := lines[i]["why"].(string); (why == "") != (want["level"] == "INFO") {
			t.Errorf("line %d: why is %q", i, why)
		}
	}
	if bytes.Contains(r.log.Bytes(), []byte(secret)) {
		t.Errorf("the secret is in the log:\n%s", r.log.Bytes())
	}
}

// serveDirectly runs one endpoint behind the front's router, without sockets.
func (r *rig) serveDirectly(ctx context.Context, serve endpoint) answer {
	f := &front{registry: r.e.registry, accounts: r.e.accounts, explain: true, log: r.e.cfg.Logger, advice: newAdvice(r.e.cfg.Logger)}
	router := f.cors(f.api([]route{{"GET", "/test", "test", serve}}))
	req := httptest.NewRequestWithContext(ctx, "GET", "/v1/apps/shop/test", nil)
	req.Header.Set("Authorization", "Bearer "+secret)
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

func TestPanicInAHandlerIsInternalErrorAndALogLine(t *testing.T) {
	r := newRig(t)
	for name, serve := range map[string]endpoint{
		"panic":         func(*call) (int, any, error) { panic("out of luck") },
		"other error":   func(*call) (int, any, error) { return 0, nil, io.ErrNoProgress },
		"not encodable": func(*call) (int, any, error) { return 200, make(chan int), nil },
	} {
		a := r.serveDirectly(t.Context(), serve)
		if a.status != 500 || a.code() != "internal_error" || strings.Contains(a.body, "luck") {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
		lines := r.lines()
		if last := lines[len(lines)-1]; last["level"] != "ERROR" || last["why"] == "" {
			t.Errorf("%s: logged %v", name, last)
		}
	}
	if !bytes.Contains(r.log.Bytes(), []byte("out of luck")) {
		t.Error("the panic's value is not in the log")
	}
}

func TestClientThatLeftIsNotAnErrorOfTheEmulator(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.serveDirectly(ctx, func(c *call) (int, any, error) {
		cancel()
		return 0, nil, c.request.Context().Err()
	})
	lines := r.lines()
	if last := lines[len(lines)-1]; last["level"] != "WARN" {
		t.Errorf("logged %v", last)
	}
}

// partial is an answer of status 200 with failed items.
type partial []string

func (p partial) Explanations() []string { return p }

func TestFailedItemsAreExplainedInHeaderAndLogButNotInTheBody(t *testing.T) {
	r := newRig(t)
	a := r.serveDirectly(t.Context(), func(*call) (int, any, error) {
		return 200, partial{"TRK-1: no such track of " + secret, "TRK-3: silent for 8,2 s – wait"}, nil
	})
	want := []string{"TRK-1: no such track of ***", "TRK-3: silent for 8,2 s %E2%80%93 wait"}
	if got := a.header.Values("X-Emu-Explain"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := a.header.Get("Access-Control-Expose-Headers"); got != "X-Emu-Explain" {
		t.Errorf("exposes %q", got)
	}
	logged := r.warned()
	if len(logged) != 3 || logged[0]["msg"] != "api" || logged[0]["status"] != 200.0 {
		t.Fatalf("logged %v", logged)
	}
	for i, why := range []string{want[0], "TRK-3: silent for 8,2 s – wait"} {
		line := logged[i+1]
		delete(line, "time")
		if want := map[string]any{"level": "WARN", "msg": "item failed", "method": "GET", "path": "/v1/apps/shop/test", "why": why}; !maps.Equal(line, want) {
			t.Errorf("logged %v, want %v", line, want)
		}
	}
}

// warned returns what a log at the level warn has.
func (r *rig) warned() (list []map[string]any) {
	for line := range bytes.Lines(r.log.Bytes()) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			r.t.Fatalf("log line %q: %v", line, err)
		}
		if fields["level"] == "WARN" || fields["level"] == "ERROR" {
			list = append(list, fields)
		}
	}
	return list
}

func TestCallsWhoseItemsAllFailAreWarnedAbout(t *testing.T) {
	r := newRig(t)
	const path = "/v1/apps/shop/adapters/websocket/new"
	a := r.do("POST", path, strings.NewReader(`{"tracks":[{"location":"remote","sessionId":"none","trackName":"cam","outputCodec":"pcm","endpoint":"wss://192.0.2.1/"}]}`), bearerOK)
	if a.status != 503 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	mustWaitFor(t, "two lines", func() bool { return len(r.warned()) == 2 })
	for _, line := range r.warned() {
		if _, found := line["session"]; line["method"] != "POST" || line["path"] != path || found {
			t.Errorf("logged %v", line)
		}
	}
}

func TestRefusalsExplainThemselvesInDevModeAlone(t *testing.T) {
	for mode, want := range map[session.Mode]bool{session.ModeDev: true, session.ModeReal: false, session.ModeStrict: false} {
		t.Run(mode.String(), func(t *testing.T) { explains(t, mode, want) })
	}
}

func explains(t *testing.T, mode session.Mode, want bool) {
	r := newRig(t, func(c *Config) { c.Mode = mode })
	id := r.newSession()
	for _, c := range []struct{ method, path, body, rule string }{
		{"GET", "/v1/apps/shop/sessions/none", "", "SES-2: "},
		{"POST", "/v1/apps/shop/sessions/" + id + "/tracks/new", "{", "BODY-1: "},
		{"PUT", "/v1/apps/shop/nothing", "", "HTTP-1: "},
		{"GET", "/", "", "HTTP-1: "},
		{"POST", "/v1/apps/shop/sessions/" + id + "/tracks/new",
			`{"tracks":[{"location":"remote","sessionId":"none","trackName":"cam"}]}`, "TRK-"},
	} {
		a := r.do(c.method, c.path, strings.NewReader(c.body), bearerOK)
		got := a.header.Values(explainHeader)
		if want != (len(got) == 1 && strings.HasPrefix(got[0], c.rule)) || (!want && len(got) > 0) {
			t.Errorf("%s %s: %d explained by %q", c.method, c.path, a.status, got)
		}
		if strings.Contains(a.body, c.rule) {
			t.Errorf("%s: the body has it too: %s", c.path, a.body)
		}
	}
	if a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK); a.status != 200 || a.header.Get(explainHeader) != "" {
		t.Errorf("a success: %d, explained by %q", a.status, a.header.Get(explainHeader))
	}
}

func TestPathsThatAreNoneSayWhatFits(t *testing.T) {
	for _, emu := range []bool{true, false} {
		t.Run(fmt.Sprintf("zone=%t", emu), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode, c.HideEmu = session.ModeDev, !emu })
			zone, root := "with a slash at the end", "the README tells the first steps; GET /_emu/ lists"
			if !emu {
				zone, root = "switched off", "switched off"
			}
			for path, says := range map[string]string{
				"/":                                      root,
				"/_emu":                                  zone,
				"/turn/keys/my-key/credentials/generate": "/v1/turn/keys/{keyId}/...",
				"/v1/turn/key/my-key/credentials/generate":  "/v1/turn/keys/{keyId}/",
				"/accounts/a/calls/apps":                    "/client/v4/accounts/{accountId}/calls/",
				"/client/accounts/a/calls/apps":             "/client/v4/accounts/{accountId}/calls/",
				"/v1/sessions/new":                          "/v1/apps/{appId}/ or /apps/{appId}/, those of TURN with /v1/turn/keys/{keyId}/, those of accounts with /client/v4/",
				"/v1/v1/apps/my-app/sessions/new":           "check the base URL",
				"/v1/client/v4/accounts/my-acc/calls/apps/": "check the base URL",
			} {
				a := r.do("GET", path, nil, "Origin: https://app.example", bearerOK)
				if a.status != 404 || a.code() != "not_found" || !strings.Contains(a.header.Get(explainHeader), says) {
					t.Errorf("%s: %d %s explained by %q", path, a.status, a.body, a.header.Get(explainHeader))
				}
			}
		})
	}
}

func TestThirdPartyIsReadFromTheQuery(t *testing.T) {
	r := newRig(t)
	for query, want := range map[string]bool{
		"": false, "?": false, "?thirdparty=true": true, "?thirdparty=false": false, "?thirdparty": false, "?x=1&thirdparty=1": true,
	} {
		a := r.do("POST", "/v1/apps/shop/sessions/new"+query, nil, bearerOK)
		var out wire.NewSessionResponse
		if err := json.Unmarshal([]byte(a.body), &out); err != nil {
			t.Fatal(err)
		}
		for _, s := range r.e.registry.Snapshot().Apps[0].Sessions {
			if s.ID == out.SessionID && s.ThirdParty != want {
				t.Errorf("%q: thirdparty is %t", query, s.ThirdParty)
			}
		}
	}
}
