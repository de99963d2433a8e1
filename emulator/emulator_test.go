package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/openapi"
)

func TestRunTGivesWhatAClientNeeds(t *testing.T) {
	r := newRig(t)
	if r.e.AppID() != appID || r.e.Secret() != secret {
		t.Errorf("app %q with secret %q", r.e.AppID(), r.e.Secret())
	}
	if !strings.HasPrefix(r.e.BaseURL(), "http://127.0.0.1:") || !strings.HasSuffix(r.e.BaseURL(), "/v1") {
		t.Errorf("base URL %s", r.e.BaseURL())
	}
	if r.e.STUNURL() != "" {
		t.Errorf("STUN is off, but has URL %s", r.e.STUNURL())
	}
	if strings.HasSuffix(r.e.BaseURL(), ":0/v1") || len(r.e.Candidates()) == 0 {
		t.Errorf("base URL %s, candidates %v", r.e.BaseURL(), r.e.Candidates())
	}
}

func TestAPIAnswersOnIPv6LoopbackToo(t *testing.T) {
	r := newRig(t)
	if len(onIPv6(t, "0")) == 0 {
		return
	}
	resp, err := r.client.Get(strings.Replace(strings.TrimSuffix(r.e.BaseURL(), "/v1"), "127.0.0.1", "[::1]", 1) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("got %s", resp.Status)
	}
}

func TestReadyzIs503UntilTheSelfTestConnected(t *testing.T) {
	defer goleak.VerifyNone(t)
	e, err := New(quiet(func(*Config) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	ask := func() (int, Readiness) {
		rec := httptest.NewRecorder()
		e.server.Handler.ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
		var body Readiness
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		return rec.Code, body
	}
	if status, body := ask(); status != 503 || body.Ready || body.Mode != "dev" {
		t.Errorf("before the start: %d %+v", status, body)
	}
	e.Start()
	e.Start()
	<-e.Ready()
	status, body := ask()
	if status != 200 || !body.Ready || body.Mode != "dev" {
		t.Errorf("after the self-test: %d %+v", status, body)
	}
	if len(body.Candidates) != 2 || body.Candidates[0].Protocol != "udp" || body.Candidates[1].Protocol != "tcp" ||
		body.Candidates[0].Address != e.listen.String() || body.Candidates[1].Address != e.listen.String() {
		t.Errorf("candidates %+v, want UDP before TCP on %v", body.Candidates, e.listen)
	}
}

func TestEmuZoneHasNoCORS(t *testing.T) {
	r := newRig(t)
	a := r.do("GET", "/_emu/openapi.yaml", nil)
	if a.status != 200 || a.body != string(openapi.YAML) {
		t.Errorf("got %d and %d bytes", a.status, len(a.body))
	}
	for _, path := range []string{"/_emu/openapi.yaml", "/_emu/nothing", "/healthz", "/readyz"} {
		a := r.do("GET", path, nil, "Origin: https://app.example")
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s allows origin %q", path, got)
		}
	}
}

func TestEmuZoneCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, func(c *Config) { c.HideEmu = true })
	if a := r.do("GET", "/_emu/openapi.yaml", nil); a.status != 404 || a.code() != "not_found" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestHTTP2WithoutTLSIsServed(t *testing.T) {
	r := newRig(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: patience}
	resp, err := client.Get(strings.TrimSuffix(r.e.BaseURL(), "/v1") + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Errorf("got %s %s", resp.Proto, resp.Status)
	}
}

// mustClose closes. On a machine that is not busy this takes less than the second that the command promises; what must not happen is a wait
// for somebody who does nothing, the shortest of which is that of a TLS client's last word, five seconds.
func mustClose(t *testing.T, e *Emulator) {
	t.Helper()
	began := time.Now()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCloseWaitsForNobodyWhateverIsOpen(t *testing.T) {
	r := newRig(t, func(c *Config) { c.STUN = "127.0.0.1:0" })
	r.newSession()
	addr := r.e.listen.String()
	for _, begin := range []string{"", "G", "GET / HTTP/1.1\r\n", "POST /v1/apps/shop/sessions/new HTTP/1.1\r\nHost: x\r\n" +
		"Authorization: Bearer " + secret + "\r\nContent-Length: 9\r\n\r\n{", "\x00\x14"} {
		mustWrite(t, dial(t, addr), []byte(begin))
	}
	mustClose(t, r.e)
}

// TestCloseWaitsForCallsThatAreSlowToEnd: http.Server gives up on them after drainWait.
func TestCloseWaitsForCallsThatAreSlowToEnd(t *testing.T) {
	for _, unencrypted2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", unencrypted2), func(t *testing.T) {
			defer goleak.VerifyNone(t)
			e, err := New(quiet(func(*Config) {}))
			if err != nil {
				t.Fatal(err)
			}
			entered := make(chan struct{})
			var ended atomic.Bool
			e.server.Handler = e.guests.calls(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(entered)
				<-r.Context().Done()
				<-time.After(2 * drainWait)
				ended.Store(true)
			}))
			e.Start()
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!unencrypted2)
			protocols.SetUnencryptedHTTP2(unencrypted2)
			transport := &http.Transport{Protocols: protocols}
			defer transport.CloseIdleConnections()
			var asking sync.WaitGroup
			defer asking.Wait()
			asking.Go(func() {
				client := http.Client{Transport: transport, Timeout: patience}
				if resp, err := client.Get(e.BaseURL()); err == nil {
					_ = resp.Body.Close()
				}
			})
			<-entered
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if !ended.Load() {
				t.Error("a call goes on after the end")
			}
		})
	}
}

// slowToClose is a connection whose second Close, that of the goroutine which serves it, waits.
type slowToClose struct {
	net.Conn
	closes atomic.Int64
	may    chan struct{}
}

func (c *slowToClose) Close() error {
	if c.closes.Add(1) > 1 {
		<-c.may
	}
	return c.Conn.Close()
}

func TestGuestsAreConnectionsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		conn := &slowToClose{Conn: near, may: make(chan struct{})}
		var g guests
		server := &http.Server{ConnState: g.noted, ReadHeaderTimeout: patience}
		from := newHandoff(nil)
		go func() { _ = server.Serve(from) }() // until server.Close
		from.give(conn)
		synctest.Wait()
		_ = server.Close()
		left := make(chan struct{})
		go func() { g.wait(); close(left) }()
		synctest.Wait()
		select {
		case <-left:
			t.Error("not waited for")
		default:
		}
		close(conn.may)
		<-left
	})
}

func TestCallsAfterTheEndAreNotServed(t *testing.T) {
	var g guests
	handler := g.calls(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served") }))
	g.wait()
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the connection is not aborted")
		}
	}()
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestCloseMayBeCalledByAnyoneAnyNumberOfTimes(t *testing.T) {
	defer goleak.VerifyNone(t)
	e, err := New(quiet(func(*Config) {}))
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { mustClose(t, e) })
	}
	wg.Wait()
	e.Start()
	mustClose(t, e)
	if conn, err := net.Dial("tcp", e.listen.String()); err == nil {
		_ = conn.Close()
		t.Error("still accepts")
	}
}

func TestCloseWithoutStartLeavesNothingOpen(t *testing.T) {
	defer goleak.VerifyNone(t)
	e, err := New(quiet(func(c *Config) { c.STUN = "127.0.0.1:0" }))
	if err != nil {
		t.Fatal(err)
	}
	listen := e.listen.String()
	mustClose(t, e)
	again, err := New(quiet(func(c *Config) { c.Listen = listen }))
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	mustClose(t, again)
}

func TestDeviationsFollowTheSettings(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "DEV-1 DEV-2 DEV-3 DEV-4 DEV-5 DEV-6 DEV-7 DEV-8 DEV-9 DEV-10 DEV-11 DEV-12"},
		{Config{Mode: session.ModeReal}, "DEV-2 DEV-3 DEV-4"},
		{Config{Mode: session.ModeReal, HideEmu: true}, "DEV-2 DEV-3"},
		{Config{Mode: session.ModeStrict, HideEmu: true}, "DEV-2 DEV-3 STR-1 STR-2"},
	} {
		var ids []string
		for _, d := range (&Emulator{cfg: c.cfg}).Deviations() {
			ids = append(ids, d.ID)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// troubled is a T whose Fatalf is noted.
type troubled struct {
	*testing.T
	fatal string
}

func (f *troubled) Fatalf(format string, _ ...any) { f.fatal = format }

func TestRunTEndsTheTestWhenItCannotStart(t *testing.T) {
	f := &troubled{T: t}
	if e := RunT(f, func(c *Config) { c.Listen = "nowhere" }); e != nil || f.fatal == "" {
		t.Errorf("got %v, %q", e, f.fatal)
	}
}

// noted is a T that counts log lines.
type noted struct {
	*testing.T
	lines int
}

func (n *noted) Logf(string, ...any) { n.lines++ }

func TestNothingIsLoggedIntoATestThatEnded(t *testing.T) {
	n := &noted{T: t}
	w := &testWriter{t: n}
	_, _ = w.Write([]byte("during\n"))
	w.end()
	_, _ = w.Write([]byte("after\n"))
	if n.lines != 1 {
		t.Errorf("%d lines, want 1", n.lines)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
