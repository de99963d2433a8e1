package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator"
)

// planted are differences that a proxy makes of an emulator's answers: the call, and the change.
var planted = []struct {
	method string
	path   *regexp.Regexp
	change func(*http.Response, string) string // gives the new body
}{
	{http.MethodDelete, regexp.MustCompile(`/sessions/[0-9a-f]{32}$`), func(r *http.Response, body string) string {
		r.StatusCode = http.StatusNotImplemented
		return body
	}},
	{http.MethodPut, regexp.MustCompile(`/tracks/close$`), func(_ *http.Response, body string) string {
		return strings.ReplaceAll(body, "Track doesn't exist or was already closed", "Track is gone")
	}},
	{http.MethodPost, regexp.MustCompile(`/datachannels/establish$`), func(_ *http.Response, body string) string {
		return strings.ReplaceAll(body, `a=sctp-port:5000\r\n`, `a=sctp-port:5000\r\na=x-planted:1\r\n`)
	}},
}

// proxied is a target: the emulator, behind a proxy that plants the differences or none.
func proxied(t *testing.T, e *emulator.Emulator, plant bool) (flags []string) {
	t.Helper()
	to, err := url.Parse(strings.TrimSuffix(e.BaseURL(), "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		for _, p := range planted {
			if plant && r.Request.Method == p.method && p.path.MatchString(r.Request.URL.Path) {
				body = []byte(p.change(r, string(body)))
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return []string{"--base-url=" + server.URL, "--app-id=" + e.AppID(), "--app-secret=" + e.Secret()}
}

// inThisProcess runs a command line as the binary would.
func inThisProcess(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), args, &stdout, &stderr)
	return result{stdout.String(), stderr.String(), status}
}

// driftCases are a few cases of each kind: with the planted differences, and without.
const driftCases = `--run=^(http/delete|close/(unknown-mid|fresh)|establish/offered|session/new|renegotiate/replay|wait/push|open/Q(4|12|18|33|38)-.*)$`

func TestPlantedDifferencesAreNamed(t *testing.T) {
	record, again := filepath.Join(t.TempDir(), "record.json"), filepath.Join(t.TempDir(), "again.json")
	first := emulator.RunT(t)
	plain := proxied(t, first, false)
	other := proxied(t, emulator.RunT(t), false)
	hasty := proxied(t, emulator.RunT(t, func(c *emulator.Config) { c.Rules.TransportWait = time.Second }), true)
	if got := inThisProcess(t, append([]string{"conformance", driftCases, "--record=" + record}, plain...)...); got.status != 0 || !strings.Contains(got.stderr, "record: "+record) {
		t.Fatalf("got %+v", got)
	}
	// ofOneRun is what no record may have: the secret, ids, addresses with ports, times of day.
	ofOneRun := regexp.MustCompile(regexp.QuoteMeta(first.Secret()) + `|[0-9a-f]{32}|127\.0\.0\.1|\d{4}-\d\d-\d\dT`)
	if found := ofOneRun.FindString(fileText(t, record)); found != "" {
		t.Errorf("the record has %q", found)
	}
	for name, c := range map[string]struct {
		target []string
		args   []string
		check  func(*testing.T, result)
	}{
		"a second record is the same": {plain, []string{"--record=" + again}, func(t *testing.T, got result) {
			if got.status != 0 || fileText(t, record) != fileText(t, again) {
				t.Errorf("the records differ; %+v", got)
			}
		}},
		"another emulator compares equal": {other, []string{"--compare=" + record}, func(t *testing.T, got result) {
			if got.status != 0 || !strings.Contains(got.stdout, " cases compared, 0 differences\n") {
				t.Errorf("got %+v", got)
			}
		}},
		"no drift is no output": {other, []string{"drift", "--from=" + record}, func(t *testing.T, got result) {
			if got.status != 0 || got.stdout != "" {
				t.Errorf("got %+v", got)
			}
		}},
		"a run that is cut off is not equal": {other, []string{"drift", "--timeout=2s", "--from=" + record}, func(t *testing.T, got result) {
			if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, " not compared, not finished at the target: ") ||
				!strings.Contains(got.stderr, " not finished, in the record or at the target, so") {
				t.Errorf("got %+v", got)
			}
		}},
		"compare": {hasty, []string{"--compare=" + record}, namesPlanted},
		"drift":   {hasty, []string{"drift", "--from=" + record}, driftNamesPlanted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.check(t, inThisProcess(t, slices.Concat([]string{"conformance"}, c.args, []string{driftCases}, c.target)...))
		})
	}
}

// namesPlanted checks the comparison case by case: what is planted, and nothing else.
func namesPlanted(t *testing.T, got result) {
	if got.status != 1 || !regexp.MustCompile(`^\d+ passed, \d failed$`).MatchString(lastLine(got.stdout)) {
		t.Errorf("got %+v", got)
	}
	comparison, _, _ := strings.Cut(got.stdout, " cases compared, ")
	t.Log(comparison)
	const session = "/v1/apps/<app 1>/sessions/<session 1>"
	want := map[string][]string{
		"http/delete":       {"step 2, DELETE " + session + `: status: 405 method_not_allowed "Method not allowed: this verb is reserved for future WHIP/WHEP support" -> 501 method_not_allowed "Method not allowed: this verb is reserved for future WHIP/WHEP support"`},
		"close/unknown-mid": {`body field tracks[0].errorDescription: "Track doesn't exist or was already closed" -> "Track is gone"`},
		"close/fresh":       {`body field tracks[0].errorDescription: "Track doesn't exist or was already closed" -> "Track is gone"`},
		"establish/offered": {"step 2, POST " + session + "/datachannels/establish: SDP line of m=application added: a=x-planted:1"},
		"wait/push":         {"time of the answer: about 5 s -> under 3 s"},
		"open/Q4-refusals":  {`observation "DELETE: status": "405" -> "501"`},
		"open/Q18-offer":    {`observation "offer for data: part 1", line added: a=x-planted:1`},
		"open/Q18-answer":   {`observation "answer for data: part 1", line added: a=x-planted:1`},
	}
	id, seen := "", map[string][]string{}
	for _, line := range strings.Split(comparison, "\n")[2:] {
		switch {
		case strings.HasPrefix(line, "  "):
			seen[id] = append(seen[id], line)
		case strings.Contains(line, " [contract "):
			id, _, _ = strings.Cut(line, " ")
			seen[id] = nil
		}
	}
	for id, lines := range seen {
		if len(want[id]) == 0 {
			t.Errorf("%s differs in %q, where nothing was planted", id, lines)
		}
		for _, line := range lines {
			if !slices.ContainsFunc(want[id], func(part string) bool { return strings.Contains(line, part) }) {
				t.Errorf("%s: nobody planted %s", id, line)
			}
		}
	}
	for id, parts := range want {
		for _, part := range parts {
			if !strings.Contains(strings.Join(seen[id], "\n"), part) {
				t.Errorf("%s: no %q in %q", id, part, seen[id])
			}
		}
	}
}

// driftNamesPlanted checks that each planted difference is a group with what the tables tell about it, in the order of weight.
func driftNamesPlanted(t *testing.T, got result) {
	t.Log(got.stdout)
	if got.status != 1 || !strings.HasPrefix(got.stdout, "the emulator differs from the record in ") {
		t.Fatalf("got %+v", got)
	}
	from := 0
	for _, want := range []string{
		"1. status\n", "(deleteSession)", "501 method_not_allowed", "contract:  1.8 (recorded), case http/delete", "rule HTTP-3, which the answer names; emulator/wire/catalogue.go: HTTP-3 method_not_allowed",
		"2. body field tracks[0].errorDescription\n", "(closeTracks)", `record:    "Track doesn't exist`, `emulator:  "Track is gone"`, "close/", "rule TRK-10",
		"3. SDP line of m=application\n", "(establishDataChannels)", "record:    (nothing)", "emulator:  a=x-planted:1", "case establish/offered",
		`observation "DELETE: status"`,
		"time of the answer\n", "(newTracks)", "emulator:  under 3 s", "rule SES-1, which the answer names", "perhaps --set transport-wait (default 5s)",
	} {
		at := strings.Index(got.stdout[from:], want)
		if at < 0 {
			t.Fatalf("no %q behind\n%s", want, got.stdout[:from])
		}
		from += at
	}
}

// TestSettingsComeBehindTheSubCommand: before it they are those of the default one, which nobody can guess from kong's words.
func TestSettingsComeBehindTheSubCommand(t *testing.T) {
	got := inThisProcess(t, "conformance", "--run=^session/new$", "drift", "--from=none.json")
	const want = "callsemu: flag --run stands before drift, and settings come behind it; write it like callsemu conformance drift --run PATTERN --from FILE\n"
	if got.status != 1 || got.stdout != "" || got.stderr != want {
		t.Errorf("got %+v", got)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	for _, args := range [][]string{{"--compare=none.json"}, {"drift", "--from=none.json"}, {"--compare=drift_test.go"}, {"drift", "--from=drift_test.go"}, {"--record=none/x.json"}} {
		flag, name, _ := strings.Cut(args[len(args)-1], "=")
		got := inThisProcess(t, append([]string{"conformance"}, args...)...)
		if got.status != 1 || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, flag) || !strings.Contains(got.stderr, name) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
