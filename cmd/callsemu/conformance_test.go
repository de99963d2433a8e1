package main

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/report"
	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
)

// lastLine is the last line of an output, which scripts read.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

func conformanceAlone(t *testing.T, binary string) {
	dir := t.TempDir()
	xmlFile, jsonFile, page := filepath.Join(dir, "r.xml"), filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	got := runToEnd(t, binary, nil, "conformance", "--run=^(session|auth)/", "--parallel=4", "--report="+xmlFile, "--report="+jsonFile, "--report="+page)
	if got.status != 0 || !regexp.MustCompile(`^1\d passed, 0 failed$`).MatchString(lastLine(got.stdout)) ||
		!strings.Contains(got.stdout, "auth/app") || !strings.Contains(got.stderr, "passed  session/new (") {
		t.Errorf("got %+v", got)
	}
	var junit struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	var data struct{ Passed, Failed, NotApplicable int }
	if err := xml.Unmarshal([]byte(fileText(t, xmlFile)), &junit); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(fileText(t, jsonFile)), &data); err != nil {
		t.Error(err)
	}
	if data.Failed != 0 || junit.Failures != 0 || data.Passed < 10 || junit.Tests != data.Passed+data.NotApplicable ||
		!strings.Contains(fileText(t, page), "session/new") {
		t.Errorf("the reports say %+v and %+v", junit, data)
	}
}

func conformanceHelps(t *testing.T, binary string) {
	got := runToEnd(t, binary, nil, "conformance", "--help")
	for _, part := range []string{"--base-url", "CALLS_APP_SECRET", "--run", "--report", "conformance drift", "--mode=MODE", "dev, real or strict"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("no %q in %s", part, got.stdout)
		}
	}
}

func conformanceFails(t *testing.T, binary string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"sessionId":"0123456789ABCDEF0123456789ABCDEF"}`))
	}))
	defer server.Close()
	got := runToEnd(t, binary, []string{"CALLS_BASE_URL=" + server.URL, "CALLS_APP_ID=app", "CALLS_APP_SECRET=canary-secret"}, "conformance", "--run=^session/new$")
	if got.status != 1 || lastLine(got.stdout) != "0 passed, 1 failed" || !strings.Contains(got.stdout, "status 200, want 201") ||
		strings.Contains(got.stderr, "callsemu:") {
		t.Errorf("got %+v", got)
	}
}

func conformanceTestsNothing(t *testing.T, binary string) {
	got := runToEnd(t, binary, nil, "conformance", "--run=^auth/app$")
	if got.status != 1 || lastLine(got.stdout) != "0 passed, 0 failed" || !strings.Contains(got.stderr, "nothing was tested: no case") {
		t.Errorf("got %+v", got)
	}
	if got := runToEnd(t, binary, nil, "conformance", "--run=^(auth/app|open/Q4-refusals)$"); got.status != 0 { // what observes is tested
		t.Errorf("got %+v", got)
	}
}

func conformanceTimesOut(t *testing.T, binary string) {
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer wrong" {
			<-asked
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	defer close(asked)
	got := runToEnd(t, binary, nil, "conformance", "--base-url="+server.URL, "--app-id=app", "--app-secret=the-secret", "--run=^auth/secret$", "--timeout=1s")
	if got.status != 1 || lastLine(got.stdout) != "0 passed, 0 failed" || !strings.Contains(got.stdout, "not finished when the run was ended: 1\n  auth/secret") ||
		!strings.Contains(got.stderr, "the run was ended by --timeout 1s, before all cases were finished") {
		t.Errorf("got %+v", got)
	}
}

func conformanceIsInterrupted(t *testing.T, binary string) {
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer wrong" {
			asked <- struct{}{}
			<-r.Context().Done()
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	page := filepath.Join(t.TempDir(), "r.html")
	cmd := exec.CommandContext(t.Context(), binary, "conformance", "--base-url="+server.URL, "--app-id=app", "--app-secret=the-secret", "--run=^auth/secret$", "--report="+page)
	cmd.Env = environment(t, nil)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(patience):
		t.Error("the case never calls")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || lastLine(stdout.String()) != "0 passed, 0 failed" || !strings.Contains(fileText(t, page), "The run was ended before this case was over") ||
		!strings.Contains(stderr.String(), "the run was interrupted before all cases were finished\n") {
		t.Errorf("status %d: %s", cmd.ProcessState.ExitCode(), stdout.String())
	}
}

func conformanceRefusesSettings(t *testing.T, binary string) {
	for name, c := range map[string]struct {
		args []string
		want []string // in the line
	}{
		"no app":                {[]string{"--base-url=http://127.0.0.1:1"}, []string{"--app-id", "CALLS_APP_SECRET"}},
		"nobody there":          {[]string{"--base-url=http://127.0.0.1:1", "--app-id=a", "--app-secret=canary"}, []string{"--base-url http://127.0.0.1:1: nothing answers there (dial tcp", "refused); start an emulator with callsemu, or leave"}},
		"no record":             {[]string{"--compare=none.json"}, []string{"--compare none.json: cannot be read: no such file or directory; callsemu conformance --record none.json writes one"}},
		"no record to be like":  {[]string{"drift", "--from=none.json"}, []string{"--from none.json: cannot be read: no such"}},
		"pattern":               {[]string{"--run=("}, []string{"--run (", "push/"}},
		"pattern of no case":    {[]string{"--run=^nothing$"}, []string{"--run ^nothing$", "no case"}},
		"parallel":              {[]string{"--parallel=0"}, []string{"--parallel 0"}},
		"timeout":               {[]string{"--timeout=0s"}, []string{"--timeout 0s"}},
		"report":                {[]string{"--report=x.pdf"}, []string{"--report x.pdf", ".html"}},
		"report in no place":    {[]string{"--report=none/x.html"}, []string{"--report", "none/x.html"}},
		"half an endpoint":      {[]string{"--endpoint-url=wss://x"}, []string{"--endpoint-listen"}},
		"half a TURN key":       {[]string{"--turn-key-id=a"}, []string{"--turn-key-id and --turn-key-token: one needs the other"}},
		"half an account":       {[]string{"--account-token=canary"}, []string{"--account-id and --account-token: one needs the other"}},
		"no CA":                 {[]string{"--base-url=http://127.0.0.1:1", "--app-id=a", "--app-secret=b", "--ca-file=none"}, []string{"--ca-file none: cannot be read: no such"}},
		"a base without http":   {[]string{"--base-url=127.0.0.1:1473", "--app-id=a", "--app-secret=b"}, []string{"--base-url 127.0.0.1:1473", "write it like http://127.0.0.1:1473\n"}},
		"a name without http":   {[]string{"--base-url=localhost:1473/v1", "--app-id=a", "--app-secret=b"}, []string{"write it like http://localhost:1473/v1\n"}},
		"another scheme":        {[]string{"--base-url=http://127.0.0.1:1", "--account-url=ftp://x/y"}, []string{"--account-url ftp://x/y", "http://x/y\n"}},
		"mode of a target":      {[]string{"--base-url=http://127.0.0.1:1", "--mode=dev"}, []string{"--mode and --https", "without --base-url"}},
		"HTTPS of a target":     {[]string{"--base-url=http://127.0.0.1:1", "--https"}, []string{"--mode and --https", "without --base-url"}},
		"an emulator's setting": {[]string{"--mode=prod"}, []string{"--mode", "strict"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := runToEnd(t, binary, nil, append([]string{"conformance"}, c.args...)...)
			if got.status != 1 || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || strings.Contains(got.stderr, "canary") {
				t.Errorf("got %+v", got)
			}
			for _, part := range c.want {
				if !strings.Contains(got.stderr, part) {
					t.Errorf("%q is not in %s", part, got.stderr)
				}
			}
		})
	}
}

// conformanceShowsNoSecret looks for every secret in all that a run says, against an emulator, and against a service that repeats them.
func conformanceShowsNoSecret(t *testing.T, binary string) {
	const app, turn, account = "canary-app-secret", "canary-turn-token", "canary-account-token"
	e := emulator.RunT(t, func(c *emulator.Config) {
		c.Mode, c.STUN = session.ModeReal, "127.0.0.1:0"
		c.Apps = map[string]string{strings.Repeat("a", 32): app}
		c.TURNKeys = map[string]string{strings.Repeat("b", 32): turn}
		c.Accounts = map[string]string{"account": account}
	})
	parrot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"errorCode":"` + r.Header.Get("Authorization") + `","errorDescription":"` + app + turn + account + `"}`))
	}))
	defer parrot.Close()
	for _, url := range []string{e.BaseURL(), parrot.URL} {
		dir := t.TempDir()
		args := []string{"conformance", "--run=^(auth|account)/|session/new|push/(second|bad-sdp)|turn/(list|token|revoked|relay-tls)"}
		for _, ext := range []string{".html", ".json", ".xml"} {
			args = append(args, "--report="+filepath.Join(dir, "r"+ext))
		}
		got := runToEnd(t, binary, []string{"CALLS_BASE_URL=" + url, "CALLS_APP_ID=" + strings.Repeat("a", 32), "CALLS_APP_SECRET=" + app,
			"CALLS_TURN_KEY_ID=" + strings.Repeat("b", 32), "CALLS_TURN_KEY_TOKEN=" + turn, "CALLS_ACCOUNT_ID=account", "CALLS_ACCOUNT_TOKEN=" + account}, args...)
		texts := map[string]string{"stdout": got.stdout, "stderr": got.stderr}
		for _, ext := range []string{".html", ".json", ".xml"} {
			data, err := os.ReadFile(filepath.Join(dir, "r"+ext))
			if err != nil || len(data) < 1000 {
				t.Errorf("report %s has %d bytes, %v", ext, len(data), err)
			}
			texts[ext] = string(data)
		}
		if url == e.BaseURL() && got.status != 0 {
			t.Errorf("against an emulator: %+v", got)
		}
		secret := regexp.MustCompile(`canary|\b[0-9a-f]{64}\b|g0[0-9a-f]{62}|ice-pwd:[^*]`)
		for name, text := range texts {
			if at := secret.FindStringIndex(text); at != nil {
				t.Errorf("%s has a secret: %s", name, text[max(0, at[0]-100):min(len(text), at[1]+50)])
			}
		}
	}
}

func fileText(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTheTableIsNotStale compares docs/conformance.md with the cases: as they would be written if all that apply in dev mode passed.
func TestTheTableIsNotStale(t *testing.T) {
	table, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	day := regexp.MustCompile("` \\| (\\d{4}-\\d\\d-\\d\\d) \\|\n").FindSubmatch(table)
	if day == nil {
		t.Fatal("docs/conformance.md has no row with a date")
	}
	r := conformance.Report{Emulator: true}
	if r.Begun, err = time.Parse("2006-01-02", string(day[1])); err != nil {
		t.Fatal(err)
	}
	var suite conformance.Suite
	end, err := (&conformanceCommand{Mode: "dev", Route: "any"}).aim(t.Context(), &suite)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for _, p := range suite.Plan() {
		o := conformance.Outcome{Planned: p, Status: conformance.Passed}
		switch {
		case p.Lacks != nil:
			o.Status = conformance.NotApplicable
		case p.Case.Observes:
			o.Status = conformance.Observed
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	var want strings.Builder
	if err := report.Markdown(&want, r); err != nil {
		t.Fatal(err)
	}
	have, wanted := strings.Split(string(table), "\n"), strings.Split(want.String(), "\n")
	for i := range max(len(have), len(wanted)) {
		if i >= len(have) || i >= len(wanted) || have[i] != wanted[i] {
			t.Fatalf("docs/conformance.md is stale from line %d on; make conformance-table writes it", i+1)
		}
	}
}
