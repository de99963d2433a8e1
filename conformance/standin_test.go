package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v3"

	"github.com/callsemu/callsemu/conformance"
)

// standIn stands in for the real service: an emulator without what betrays it, so that the suite is the careful guest that it is there. It
// notes what the guest does, for wantTidy and wantPace.
type standIn struct {
	emulator conformance.Target // what is behind it
	proxy    *httputil.ReverseProxy
	items    map[string]bool // URLs of the apps and TURN keys that were there before
	far      *distance       // between it and the suite; nil for none

	mu          sync.Mutex
	calls       []arrival
	credentials map[string]turnCredential // by username
}

type arrival struct {
	at   time.Time
	path string
}

type turnCredential struct{ server, username, password string }

// behindStandIn is the emulator as a user of the real service is given it.
func behindStandIn(t *testing.T, emulator conformance.Target, far *distance) (conformance.Target, *standIn) {
	to, err := url.Parse(strings.TrimSuffix(emulator.BaseURL, "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, ExpectContinueTimeout: 5 * time.Second, MaxIdleConnsPerHost: 32}
	s := &standIn{emulator: emulator, credentials: map[string]turnCredential{}}
	s.items = s.accountItems(t)
	if s.far = far; far != nil {
		t.Cleanup(far.end)
	}
	s.proxy = &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0), // of clients that go away, which cases do on purpose
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
		},
		ModifyResponse: func(r *http.Response) error { return s.note(t, r) },
	}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = s.proxy.ErrorLog
	server.Start()
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	service := emulator
	service.BaseURL = server.URL + "/v1"
	return service, s
}

// ServeHTTP passes a request on. An answer may come before the end of a body, which is read nevertheless, as the emulator does.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, arrival{time.Now(), r.URL.Path})
	s.mu.Unlock()
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || strings.HasPrefix(r.URL.Path, "/_emu") {
		http.NotFound(w, r)
		return
	}
	if s.far != nil {
		s.far.pass(r.Context())
	}
	_ = http.NewResponseController(w).EnableFullDuplex()
	whole := r.WithContext(r.Context()) // the server looks at the body of its own request
	whole.Body = io.NopCloser(r.Body)
	if r.Body == http.NoBody {
		whole.Body = http.NoBody
	}
	s.proxy.ServeHTTP(w, whole)
	if r.Header.Get("Expect") == "" { // who waits for 100 Continue does not send after a refusal
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// note takes the emulator's headers out of an answer, and notes the TURN credentials in it.
func (s *standIn) note(t *testing.T, r *http.Response) error {
	if s.far != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = s.far.farther(t, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Header.Get("Content-Length") != "" {
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
		s.far.pass(r.Request.Context())
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Emu-") {
			r.Header.Del(name)
		}
	}
	if !strings.Contains(r.Request.URL.Path, "/credentials/generate") || r.StatusCode != http.StatusCreated {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct{ ICEServers json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	type server struct {
		URLs                 []string
		Username, Credential string
	}
	var list []server
	if json.Unmarshal(answer.ICEServers, &list) != nil {
		list = make([]server, 1)
		if err := json.Unmarshal(answer.ICEServers, &list[0]); err != nil {
			return err
		}
	}
	for _, one := range list {
		i := slices.IndexFunc(one.URLs, func(url string) bool { return strings.HasPrefix(url, "turn:") && strings.HasSuffix(url, "=udp") })
		if i < 0 {
			continue
		}
		at, _, _ := strings.Cut(strings.TrimPrefix(one.URLs[i], "turn:"), "?")
		s.mu.Lock()
		s.credentials[one.Username] = turnCredential{at, one.Username, one.Credential}
		s.mu.Unlock()
	}
	return nil
}

// accountItems are the apps and TURN keys of the account, asked behind the proxy's back.
func (s *standIn) accountItems(t *testing.T) map[string]bool {
	t.Helper()
	items := map[string]bool{}
	for _, path := range []string{"/calls/apps", "/calls/turn_keys"} {
		var list struct {
			Success bool
			Result  []struct{ UID, Name string }
		}
		url := strings.TrimSuffix(s.emulator.BaseURL, "/v1") + "/client/v4/accounts/" + s.emulator.AccountID + path
		if ask(t, url, s.emulator.AccountToken, &list); !list.Success {
			t.Fatalf("%s is not answered", url)
		}
		for _, item := range list.Result {
			items[path+"/"+item.UID+" "+item.Name] = true
		}
	}
	return items
}

// wantClosed fails for what a case has left, right after it: tracks, data channels and adapters. Where the service refuses to close, as on a
// session that never connected (contract 2.2), the case must have tried; such a session ends by itself.
func (s *standIn) wantClosed(t *testing.T, result conformance.Result) {
	t.Helper()
	type item struct{ TrackName, DataChannelName, Mid, Status string }
	var state struct {
		Apps []struct {
			Sessions []struct {
				SessionID string
				Tracks    []item
				Channels  []item `json:"dataChannels"`
			}
		}
	}
	ask(t, strings.TrimSuffix(s.emulator.BaseURL, "/v1")+"/_emu/state", "", &state)
	answers, refused, closed := "", "", ""
	var adapters []string
	for _, step := range result.Steps {
		if x := step.Exchange; x != nil {
			answers += x.Response.Body
			switch {
			case strings.HasSuffix(x.URL, "/adapters/websocket/new"):
				for _, id := range adapterIDs.FindAllStringSubmatch(x.Response.Body, -1) {
					adapters = append(adapters, id[1])
				}
			case strings.HasSuffix(x.URL, "/adapters/websocket/close") && x.Status == http.StatusOK:
				closed += x.Request.Body
			}
			if step.Tidy && x.Status != http.StatusOK {
				refused += x.URL
			}
		}
	}
	for _, app := range state.Apps {
		for _, session := range app.Sessions {
			if !strings.Contains(answers, session.SessionID) || strings.Contains(refused, session.SessionID) {
				continue
			}
			for _, left := range slices.Concat(session.Tracks, session.Channels) {
				if left.Status == "active" {
					t.Errorf("not tidied: session %s still has %+v", session.SessionID, left)
				}
			}
		}
	}
	for _, id := range adapters { // one that was not closed ends with the suite's own endpoint, but not at once
		if !strings.Contains(closed, id) {
			t.Errorf("not tidied: nobody has closed adapter %s", id)
		}
	}
}

// adapterIDs are those of an answer.
var adapterIDs = regexp.MustCompile(`"adapterId":"([0-9a-f]{32})"`)

// wantTidy fails for what is left of a whole run: apps and TURN keys of the account, and TURN credentials that are good for something.
func (s *standIn) wantTidy(t *testing.T) {
	t.Helper()
	for item := range s.accountItems(t) {
		if !s.items[item] {
			t.Errorf("not tidied: the account still has %s", item)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.credentials) == 0 {
		t.Error("no TURN credential was made")
	}
	for _, credential := range s.credentials {
		if err := credential.allocate(); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("not tidied: the TURN credential %s... is good still: %v", credential.username[:8], err)
		}
	}
}

// allocate fails if the credential is good no more.
func (c turnCredential) allocate() error {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer conn.Close()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: c.server, TURNServerAddr: c.server, Conn: conn, Username: c.username, Password: c.password, LoggerFactory: quiet,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		return err
	}
	relay, err := client.Allocate()
	if err != nil {
		return err
	}
	return relay.Close()
}

// limits are those of contract 6 for a session, and the pace that the suite sets itself (conformance/README.md), each with the calls at
// once that come on top, those included that a busy machine has held up.
var limits = []struct {
	second, once int // calls a second, and at once
	window       time.Duration
	of           func(path string) (group string, counts bool)
}{
	{25, 5 + 25, 5 * time.Second, func(path string) (string, bool) { return "the service", !strings.HasPrefix(path, "/client/") }},
	{3, 3 + 4, 5 * time.Second, func(path string) (string, bool) { return "the account API", strings.HasPrefix(path, "/client/") }},
	{50, 0, time.Second, func(path string) (string, bool) {
		_, rest, found := strings.Cut(path, "/sessions/")
		id, _, _ := strings.Cut(rest, "/")
		return "session " + id, found && id != "new"
	}},
}

// wantPace fails if the guest has called faster than it may, from the call on that has this number: the probe goes before.
func (s *standIn) wantPace(t *testing.T, from int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls)-from < 20 {
		t.Errorf("only %d calls came", len(s.calls)-from)
	}
	for _, limit := range limits {
		most, groups := float64(limit.second)*limit.window.Seconds()+float64(limit.once), map[string][]time.Time{}
		worst, of := 0, ""
		for _, call := range s.calls[from:] {
			group, counts := limit.of(call.path)
			if !counts {
				continue
			}
			recent := append(groups[group], call.at)
			for call.at.Sub(recent[0]) > limit.window {
				recent = recent[1:]
			}
			if groups[group] = recent; len(recent) > worst {
				worst, of = len(recent), group
			}
		}
		if text := fmt.Sprintf("%d calls of %s within %s; %.0f may be", worst, of, limit.window, most); float64(worst) > most {
			t.Error("too fast: " + text)
		} else {
			t.Log(text)
		}
	}
}
