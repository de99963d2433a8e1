package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callsemu/callsemu/cmd/callsemu/internal/doctor"
	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/internal/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 20 * time.Second // where everything works
	short    = 4 * time.Second  // where something does not, and all of it is waited
)

// run starts an emulator with STUN and TURN.
func run(t *testing.T, edit ...func(*emulator.Config)) *emulator.Emulator {
	return emulator.RunT(t, append([]func(*emulator.Config){func(c *emulator.Config) { c.STUN, c.StateDir = "127.0.0.1:0", t.TempDir() }}, edit...)...)
}

// examine runs doctor and checks that it told what it reports.
func examine(t *testing.T, cfg doctor.Config) doctor.Report {
	t.Helper()
	var told []doctor.Result
	report, err := doctor.Examine(t.Context(), cfg, func(r doctor.Result) { told = append(told, r) })
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Checks {
		t.Log(r)
	}
	t.Log(report.Summary())
	if !slices.Equal(told, report.Checks) {
		t.Errorf("told %v", told)
	}
	if len(report.Checks) != report.OK+report.Failed+report.Skipped {
		t.Errorf("the summary is %q", report.Summary())
	}
	return report
}

// want checks the verdicts, written as "name verdict" in the order of the checks; a result beside what is wanted is wrong as well.
func want(t *testing.T, report doctor.Report, healthy bool, verdicts ...string) {
	t.Helper()
	var got []string
	for _, r := range report.Checks {
		got = append(got, r.Name+" "+string(r.Verdict))
		if (r.Cure != "") != (r.Verdict == doctor.Failed) {
			t.Errorf("%s: cure %q", r.Name, r.Cure)
		}
	}
	if !slices.Equal(got, verdicts) || report.Healthy != healthy {
		t.Errorf("healthy %t, want %t\ngot  %q\nwant %q", report.Healthy, healthy, got, verdicts)
	}
}

// says checks that the line of a check has all the parts.
func says(t *testing.T, report doctor.Report, name string, parts ...string) {
	t.Helper()
	i := slices.IndexFunc(report.Checks, func(r doctor.Result) bool { return r.Name == name })
	if i < 0 {
		t.Errorf("there is no check %s", name)
		return
	}
	for _, part := range parts {
		if line := report.Checks[i].String(); !strings.Contains(line, part) {
			t.Errorf("no %q in %q", part, line)
		}
	}
}

// ok are the verdicts of an emulator with everything on.
var ok = []string{"connect ok", "http ok", "https ok", "emulator ok", "api ok", "ice-servers ok", "stun ok", "ice-udp ok", "ice-tcp ok",
	"turn-udp ok", "turn-tcp ok", "turn-tls ok", "data ok"}

// but is ok with some verdicts replaced.
func but(verdicts ...string) []string {
	list := slices.Clone(ok)
	for _, v := range verdicts {
		name, _, _ := strings.Cut(v, " ")
		list[slices.IndexFunc(list, func(old string) bool { return strings.HasPrefix(old, name+" ") })] = v
	}
	return list
}

func trusting(e *emulator.Emulator) doctor.Config {
	return doctor.Config{URL: e.BaseURL(), CA: e.CA(), CAFile: e.CAFile(), Timeout: patience}
}

func TestEverythingWorks(t *testing.T) {
	e := run(t)
	report := examine(t, trusting(e))
	want(t, report, true, ok...)
	says(t, report, "https", "localhost", "trusted with the CA in "+e.CAFile())
	says(t, report, "emulator", "mode dev", "udp 127.0.0.1:", "tcp 127.0.0.1:")
	says(t, report, "stun", "sees this machine as 127.0.0.1:")
	says(t, report, "ice-udp", e.Candidates()[0].Addr.String(), "Firefox")
	if got, want := report.Summary(), "13 ok, 0 failed, 0 skipped: a client gets media"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNothingIsLeftOfAnExamination looks at the sessions that never connect, and would stay for a minute.
func TestNothingIsLeftOfAnExamination(t *testing.T) {
	e := run(t, func(c *emulator.Config) { c.STUN = emulator.STUNOff })
	advertise(t, e, "127.0.0.1:9")
	cfg := trusting(e)
	cfg.Timeout = time.Second
	examine(t, cfg)
	if apps := state(t, e); len(apps) != 1 || apps[0].AppID != e.AppID() {
		t.Errorf("left: %+v", apps)
	}
	cfg.AppID, cfg.AppSecret = "mine", "my-secret" // where others may be at work
	examine(t, cfg)
	if apps := state(t, e); len(apps) != 2 || len(apps[0].Sessions)+len(apps[1].Sessions) == 0 {
		t.Errorf("of the user's app: %+v", apps)
	}
}

type appState struct {
	AppID    string
	Sessions []any
}

// state is what the control zone shows of apps.
func state(t *testing.T, e *emulator.Emulator) []appState {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(e.BaseURL(), "/v1")+"/_emu/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct{ Apps []appState }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Apps
}

func TestTheRealModeHasNoTCP(t *testing.T) {
	e := run(t, func(c *emulator.Config) { c.Mode, c.STUN = session.ModeReal, emulator.STUNOff })
	cfg := trusting(e)
	cfg.AppID, cfg.AppSecret = e.AppID(), e.Secret()
	says(t, examine(t, cfg), "ice-tcp", "skipped", "as with the real service; callsemu has some in the mode dev alone")
}

func TestEverythingWorksOverHTTPS(t *testing.T) {
	e := run(t, func(c *emulator.Config) { c.HideEmu = true })
	cfg := trusting(e)
	cfg.URL = strings.Replace(e.BaseURL(), "http://127.0.0.1", "https://localhost", 1)
	report := examine(t, cfg)
	want(t, report, true, but("http skipped")...)
	says(t, report, "emulator", "/_emu/ is off, or not open")
}

func TestWithoutSTUN(t *testing.T) {
	report := examine(t, trusting(run(t, func(c *emulator.Config) { c.STUN = emulator.STUNOff })))
	want(t, report, true, "connect ok", "http ok", "https ok", "emulator ok", "api ok", "ice-servers skipped", "stun skipped", "ice-udp ok",
		"ice-tcp ok", "turn skipped", "data ok")
	says(t, report, "ice-servers", "--stun")
}

// publishTCP publishes a TCP port under another number, as a container's is where the line for UDP was forgotten.
func publishTCP(t *testing.T, to string) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); working.Wait() })
	working.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			// Either end ends both.
			end := func() { _, _ = in.Close(), out.Close() }
			working.Go(func() { defer end(); _, _ = io.Copy(out, in) })
			working.Go(func() { defer end(); _, _ = io.Copy(in, out) })
		}
	})
	return listener.Addr().String()
}

func TestUDPIsNotPublished(t *testing.T) {
	e := run(t)
	mapped := publishTCP(t, strings.TrimSuffix(strings.TrimPrefix(e.BaseURL(), "http://"), "/v1"))
	advertise(t, e, mapped)
	cfg := trusting(e)
	cfg.URL, cfg.Timeout = "http://"+mapped, short
	report := examine(t, cfg)
	want(t, report, true, but("ice-udp FAILED", "data skipped")...)
	says(t, report, "ice-udp", "nobody answers at "+mapped, "-p "+mapped+":1473/udp where callsemu listens on 1473", "--advertise 127.0.0.1:PORT", `{"advertise":["127.0.0.1:PORT"]}`, "until then media goes over TCP")
	says(t, report, "ice-tcp", mapped)

	own := strings.TrimSuffix(strings.TrimPrefix(e.BaseURL(), "http://"), "/v1")
	advertise(t, e, mapped, own) // as the cure says
	report = examine(t, cfg)
	want(t, report, true, ok...)
	says(t, report, "ice-udp", "with "+own+"; not reached from here: "+mapped)
	says(t, report, "ice-tcp", "with "+mapped+", "+own)
}

// advertise changes what an emulator offers.
func advertise(t *testing.T, e *emulator.Emulator, addrs ...string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, strings.TrimSuffix(e.BaseURL(), "/v1")+"/_emu/settings",
		strings.NewReader(`{"advertise":["`+strings.Join(addrs, `","`)+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT settings: %s", resp.Status)
	}
}

func TestCandidatesAreElsewhere(t *testing.T) {
	e := run(t, func(c *emulator.Config) { c.STUN = emulator.STUNOff })
	for _, c := range []struct {
		name, advertise string
		udp             []string
	}{
		{"another port", "127.0.0.1:9", []string{"nobody answers at 127.0.0.1:9", "the API is reached at port", "--advertise 127.0.0.1:PORT"}},
		{"a container's address", "192.0.2.200:1473", []string{"the API is reached at 127.0.0.1, which is not among them", "--advertise 127.0.0.1:PORT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			advertise(t, e, c.advertise)
			cfg := trusting(e)
			cfg.Timeout = 2 * time.Second
			report := examine(t, cfg)
			want(t, report, false, "connect ok", "http ok", "https ok", "emulator ok", "api ok", "ice-servers skipped", "stun skipped",
				"ice-udp FAILED", "ice-tcp FAILED", "turn skipped", "data skipped")
			says(t, report, "ice-udp", c.udp...)
			says(t, report, "ice-tcp", "--advertise "+strings.TrimSuffix(strings.TrimPrefix(e.BaseURL(), "http://"), "/v1"))
			if !strings.HasSuffix(report.Summary(), ": a client gets no media") {
				t.Error(report.Summary())
			}
		})
	}
}

func TestCredentialsInRealMode(t *testing.T) {
	e := run(t, func(c *emulator.Config) { c.Mode = session.ModeReal })
	secret, token := "canary-secret", "canary-token"
	good := trusting(e)
	good.AppID, good.AppSecret, good.TURNKey, good.TURNToken = e.AppID(), e.Secret(), e.TURNKeyID(), e.TURNKeyToken()
	for _, c := range []struct {
		name    string
		edit    func(*doctor.Config)
		healthy bool
		check   string
		parts   []string
	}{
		{"right", func(*doctor.Config) {}, true, "ice-servers", []string{"ok "}},
		{"no TURN key", func(c *doctor.Config) { c.TURNKey, c.TURNToken = "", "" }, true, "ice-servers", []string{"skipped", "--turn-key ID:TOKEN"}},
		{"wrong token", func(c *doctor.Config) { c.TURNToken = token }, true, "ice-servers", []string{"FAILED", "the secret of TURN key " + e.TURNKeyID() + " is wrong", "--turn-key"}},
		{"wrong secret", func(c *doctor.Config) { c.AppSecret = secret }, false, "api", []string{"FAILED", "the secret of app " + e.AppID() + " is wrong", "--app-secret", "--app ID:SECRET"}},
		{"unknown app", func(c *doctor.Config) { c.AppID, c.AppSecret = "none", secret }, false, "api", []string{"FAILED", "app none is unknown", "--app-id"}},
		{"no app", func(c *doctor.Config) { c.AppID, c.AppSecret = "", "" }, false, "api", []string{"FAILED", "app doctor-", " is unknown there", "--app-id and --app-secret"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.edit(&cfg)
			report := examine(t, cfg)
			says(t, report, c.check, c.parts...)
			if report.Healthy != c.healthy {
				t.Errorf("healthy: %t", report.Healthy)
			}
			for _, r := range report.Checks {
				for _, s := range []string{secret, token, e.Secret(), e.TURNKeyToken()} {
					if strings.Contains(r.String(), s) {
						t.Errorf("a secret is told: %s", r)
					}
				}
			}
		})
	}
}

func TestCertificateIsNotTrusted(t *testing.T) {
	e := run(t)
	cfg := doctor.Config{URL: e.BaseURL(), Timeout: patience}
	report := examine(t, cfg)
	want(t, report, true, but("https FAILED", "turn-tls FAILED")...)
	says(t, report, "https", "localhost", "not trusted", "callsemu env", "/_emu/ca.pem")
	says(t, report, "turn-tls", "callsemu env", "/_emu/ca.pem")

	cfg.URL = strings.Replace(e.BaseURL(), "http://", "https://", 1)
	report = examine(t, cfg)
	want(t, report, false, "connect ok", "http skipped", "https FAILED", "media skipped")
	says(t, report, "https", "curl -so ca.pem --insecure https://")
}

func TestTURNHostDoesNotResolve(t *testing.T) {
	report := examine(t, trusting(run(t, func(c *emulator.Config) { c.TURNHost = "relay.invalid" })))
	want(t, report, true, "connect ok", "http ok", "https ok", "emulator ok", "api ok", "ice-servers FAILED", "stun skipped", "ice-udp ok",
		"ice-tcp ok", "turn skipped", "data ok")
	says(t, report, "ice-servers", "relay.invalid, which does not resolve here", "--turn-host 127.0.0.1")
}

func TestAnotherServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	report := examine(t, doctor.Config{URL: server.URL, Timeout: patience})
	want(t, report, false, "connect ok", "http ok", "https skipped", "emulator skipped", "api FAILED", "media skipped")
	says(t, report, "api", "not the Calls API", "404 with text/plain", "another program has the port")
}

func TestPortIsForHTTPSAlone(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	e := run(t, func(c *emulator.Config) { c.HTTPS = []string{"127.0.0.1:0"} })
	for _, url := range []string{server.URL, e.HTTPSURLs()[1]} {
		url = strings.Replace(url, "https://", "http://", 1)
		report := examine(t, doctor.Config{URL: url, Timeout: patience})
		want(t, report, false, "connect ok", "http FAILED", "media skipped")
		says(t, report, "http", "HTTPS alone", "--url https://127.0.0.1:")
	}
}

func TestPortIsForHTTPAlone(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	report := examine(t, doctor.Config{URL: strings.Replace(server.URL, "http://", "https://", 1), Timeout: patience})
	want(t, report, false, "connect ok", "http skipped", "https FAILED", "media skipped")
	says(t, report, "https", "--url http://127.0.0.1:")
}

func TestNobodyListens(t *testing.T) {
	addr := porttest.Reserve(t)
	report := examine(t, doctor.Config{URL: "http://" + addr, Timeout: patience})
	want(t, report, false, "connect FAILED", "media skipped")
	says(t, report, "connect", "nothing listens at "+addr, "callsemu serve", "-p "+addr+":1473/tcp")
}

func TestNameDoesNotResolve(t *testing.T) {
	report := examine(t, doctor.Config{URL: "https://calls.invalid/v1", Timeout: patience})
	want(t, report, false, "connect FAILED", "media skipped")
	says(t, report, "connect", "calls.invalid does not resolve", "hosts file")
}

func TestSilentServerIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	report := examine(t, doctor.Config{URL: "http://" + listener.Addr().String(), Timeout: 200 * time.Millisecond})
	want(t, report, false, "connect ok", "http FAILED", "media skipped")
	says(t, report, "http", "no answer in time")
}

func TestInterruptEndsIt(t *testing.T) {
	e := run(t)
	advertise(t, e, "127.0.0.1:9") // so that the ways of media would wait
	for _, last := range []string{"connect", "ice-servers"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { // ends with Examine; the test waits for it
			_, err := doctor.Examine(ctx, doctor.Config{URL: e.BaseURL(), Timeout: time.Hour}, func(r doctor.Result) {
				if ctx.Err() != nil {
					t.Errorf("told after the interrupt: %s", r)
				}
				if r.Name == last {
					cancel()
				}
			})
			ended <- err
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		case <-time.After(patience):
			t.Fatal("it goes on")
		}
	}
}

func TestWrongSettings(t *testing.T) {
	for _, c := range []struct {
		cfg  doctor.Config
		part string
	}{
		{doctor.Config{URL: "here", Timeout: 1}, "--url here"},
		{doctor.Config{URL: "ftp://x", Timeout: 1}, "--url ftp://x"},
		{doctor.Config{URL: "http://x:0x", Timeout: 1}, "--url"},
		{doctor.Config{URL: "http://x"}, "--timeout"},
		{doctor.Config{URL: "http://x", Timeout: 1, CA: []byte("no"), CAFile: "f"}, "--ca-file f"},
	} {
		if _, err := doctor.Examine(t.Context(), c.cfg, func(doctor.Result) {}); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
