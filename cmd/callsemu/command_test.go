package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/internal/porttest"
)

// patience bounds every wait that should be short.
const patience = 20 * time.Second

// TestMain takes away what the developer has set for callsemu, or for a run against the real service.
func TestMain(m *testing.M) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) || strings.HasPrefix(name, "CALLS_") {
			_ = os.Unsetenv(name)
		}
	}
	m.Run()
}

// TestCommand runs the built binary: what users and scripts see of it.
func TestCommand(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "callsemu")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Run("wrong settings are one line and status 1", func(t *testing.T) { wrongSettings(t, binary) })
	t.Run("serves until the first signal", func(t *testing.T) { servesUntilSignal(t, binary) })
	t.Run("start message is in sight", func(t *testing.T) { startsInSight(t, binary) })
	t.Run("a second one is told all that is in its way", func(t *testing.T) { secondOne(t, binary) })
	t.Run("start message names the day and what it undoes", func(t *testing.T) { startsAsOfADay(t, binary) })
	t.Run("wait gives up", func(t *testing.T) { waitGivesUp(t, binary) })
	t.Run("help names every setting and rule", func(t *testing.T) { helpNamesAll(t, binary) })
	t.Run("help of a sub-command", func(t *testing.T) { helpOfACommand(t, binary) })
	t.Run("doctor examines a running emulator", func(t *testing.T) { doctorExamines(t, binary) })
	t.Run("version", func(t *testing.T) { printsVersion(t, binary) })
	t.Run("ca and env serve the client of a running emulator", func(t *testing.T) { tellsWhomToTrust(t, binary) })
	t.Run("conformance starts an emulator of its own", func(t *testing.T) { conformanceAlone(t, binary) })
	t.Run("conformance helps", func(t *testing.T) { conformanceHelps(t, binary) })
	t.Run("conformance fails with its cases", func(t *testing.T) { conformanceFails(t, binary) })
	t.Run("conformance ends in time", func(t *testing.T) { conformanceTimesOut(t, binary) })
	t.Run("conformance says what there is when it is interrupted", func(t *testing.T) { conformanceIsInterrupted(t, binary) })
	t.Run("conformance without a case that applies is no success", func(t *testing.T) { conformanceTestsNothing(t, binary) })
	t.Run("conformance refuses wrong settings in one line", func(t *testing.T) { conformanceRefusesSettings(t, binary) })
	t.Run("conformance shows no secret", func(t *testing.T) { conformanceShowsNoSecret(t, binary) })
	t.Run("a whole run logs no secret", func(t *testing.T) { logsNoSecret(t, binary) })
}

// environment is this process's with some more, and with a state directory of the test's.
func environment(t *testing.T, more []string) []string {
	return append(append(os.Environ(), "CALLSEMU_STATE_DIR="+filepath.Join(t.TempDir(), "state")), more...)
}

// result is what a process left behind.
type result struct {
	stdout, stderr string
	status         int
}

// runToEnd runs the binary with extra environment variables and waits for its end.
func runToEnd(t *testing.T, binary string, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience) // a run of cases takes some seconds
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environment(t, env)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%v has not ended:\n%s", args, &stderr)
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func wrongSettings(t *testing.T, binary string) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	free := []string{"--listen=127.0.0.1:0", "--media=127.0.0.1", "--stun=off"}
	for _, c := range []struct {
		name string
		env  string
		args []string
		want []string // in the line
	}{
		{"unknown flag", "", []string{"--fast"}, []string{"--fast", "--help"}},
		{"unknown command", "", []string{"server"}, []string{"no sub-command server, did you mean serve?", "callsemu --help"}},
		{"unknown command like none", "", []string{"x"}, []string{"no sub-command x; callsemu --help"}},
		{"unknown command of conformance", "", []string{"conformance", "drft"}, []string{"did you mean drift?", "callsemu conformance --help"}},
		{"argument too many", "", []string{"wait", "here"}, []string{"unexpected argument here; callsemu wait --help"}},
		{"unknown flag of wait", "", []string{"wait", "--bogus"}, []string{"--bogus; callsemu wait --help"}},
		{"unknown flag of env", "", []string{"env", "--bogus"}, []string{"--bogus; callsemu env --help"}},
		{"unknown flag of conformance", "", []string{"conformance", "--bogus"}, []string{"--bogus; callsemu conformance --help"}},
		{"flag before a sub-command", "", []string{"--state-dir=x", "env"}, []string{"--state-dir stands before env", "callsemu env --state-dir DIR"}},
		{"flag before a sub-command without it", "", []string{"--mode=real", "wait"}, []string{"--mode is no setting of wait; callsemu wait --help"}},
		{"missing flag of drift", "", []string{"conformance", "drift"}, []string{"--from=FILE; callsemu conformance drift --help"}},
		{"flag without value", "", []string{"--listen"}, []string{"--listen needs a value; write it like --listen 127.0.0.1:1473;"}},
		{"flag before another one", "", []string{"--app", "--stun=off"}, []string{"--app needs a value; write it like --app ID:SECRET;"}},
		{"list without value", "", []string{"--https"}, []string{"--https needs a value; write it like --https IP:PORT;"}},
		{"duration", "", []string{"wait", "--timeout=soon"}, []string{`--timeout: "soon" is not a duration; write it like 30s`, "callsemu wait --help"}},
		{"mode", "", []string{"--mode=prod"}, []string{"--mode", "real"}},
		{"emu", "", []string{"--emu=yes"}, []string{"--emu", "off"}},
		{"contract", "", append(free, "--contract=today"), []string{"--contract today", "2026-09-30"}},
		{"host", "", append(free, "--host=http://x"), []string{"--host http://x", "calls.example"}},
		{"log level", "CALLSEMU_LOG_LEVEL=loud", nil, []string{"--log-level", "debug", "--log-level comes from CALLSEMU_LOG_LEVEL"}},
		{"listen", "", []string{"--listen=here"}, []string{"--listen here", "127.0.0.1:1473"}},
		{"listen by variable", "CALLSEMU_LISTEN=here", nil, []string{"--listen here", "--listen comes from CALLSEMU_LISTEN"}},
		{"url by variable", "CALLSEMU_URL=here", []string{"wait"}, []string{"--url here", "--url comes from CALLSEMU_URL"}},
		{"busy port", "", []string{"--listen=" + taken}, []string{"--listen " + taken, "in use"}},
		{"busy stun port", "", append(free[:2:2], "--stun="+taken), []string{"--stun " + taken, "--stun off"}},
		{"address elsewhere", "", []string{"--listen=203.0.113.9:0"}, []string{"--listen", "not an address of this machine"}},
		{"media elsewhere", "", []string{"--listen=127.0.0.1:0", "--media=203.0.113.9"}, []string{"--media", "not an address of this machine"}},
		{"media elsewhere, busy port", "", []string{"--listen=" + taken, "--media=203.0.113.9"}, []string{"--media", "not an address of this machine"}},
		{"tls cert alone, busy port", "", []string{"--listen=" + taken, "--tls-cert=x"}, []string{"--tls-cert x", "--tls-key"}},
		{"media auto and more", "", append([]string{"--stun=off"}, "--media=auto,127.0.0.2"), []string{"--media auto,127.0.0.2: auto stands alone"}},
		{"advertise", "", append(free, "--advertise=my.host"), []string{"--advertise my.host"}},
		{"app without secret", "", append(free, "--app=shop"), []string{"--app", "ID:SECRET"}},
		{"second app without secret", "", append(free, "--app=shop:a", "--app=bar"), []string{"--app (number 2 of 2)", "ID:SECRET"}},
		{"app twice", "", append(free, "--app=shop:a,shop:b"), []string{"--app shop: it is given twice", "a comma before shop:"}},
		{"account without token", "", append(free, "--account=me"), []string{"--account", "ID:TOKEN"}},
		{"account id too long", "", append(free, "--account="+strings.Repeat("1", 33)+":x"), []string{"--account", "32 letters"}},
		{"https", "", append(free, "--https=443"), []string{"--https 443", "127.0.0.1:443"}},
		{"busy https port", "", append(free, "--https="+taken), []string{"--https " + taken, "in use"}},
		{"tls name", "", append(free, "--tls-name=*.calls.test"), []string{"--tls-name *.calls.test", "calls.example"}},
		{"tls name below another", "", append(free, "--tls-name=calls.test,x.calls.test"), []string{"--tls-name", "x.calls.test is below calls.test", "name fewer, or others"}},
		{"turn host below a name", "", append(free, "--stun=127.0.0.1:0", "--turn-host=x.localhost"), []string{"--turn-host x.localhost", "x.localhost is below localhost", "--turn-tls off"}},
		{"env of a tls name below another", "CALLSEMU_TLS_NAME=x.localhost", []string{"env"}, []string{"--tls-name", "x.localhost is below localhost", "--state-dir DIR"}},
		{"tls cert alone", "", append(free, "--tls-cert=cert.pem"), []string{"--tls-cert cert.pem", "--tls-key"}},
		{"tls cert that is not there", "", append(free, "--tls-cert=none", "--tls-key=none"), []string{"--tls-cert none", "no such file", "PEM"}},
		{"ca in no directory", "CALLSEMU_STATE_DIR=/dev/null/x", []string{"ca"}, []string{"--state-dir /dev/null/x", "/_emu/ca.pem"}},
		{"env of no URL", "", []string{"env", "--url=here"}, []string{"--url here"}},
		{"env of no CA", "", []string{"env", "--ca-file=none"}, []string{"--ca-file none", "/_emu/ca.pem"}},
		{"unknown rule", "", append(free, "--set=speed=9"), []string{"--set speed=9", "transport-wait"}},
		{"rule without value", "", append(free, "--set=max-body"), []string{"--set max-body", "NAME=VALUE"}},
		{"rule out of range", "", append(free, "--set=max-body=-1"), []string{"--set max-body=-1", "above zero"}},
		{"rule too large", "", append(free, "--set=max-body=99999999999"), []string{"--set max-body=99999999999", "at most 67108864"}},
		{"media twice", "", []string{"--listen=127.0.0.1:0", "--media=127.0.0.1,127.0.0.1"}, []string{"--media 127.0.0.1", "twice"}},
		{"wait url", "", []string{"wait", "--url=here"}, []string{"--url here"}},
		{"doctor url", "", []string{"doctor", "--url=here"}, []string{"--url here"}},
		{"doctor of no CA", "", []string{"doctor", "--ca-file=none"}, []string{"--ca-file none", "/_emu/ca.pem"}},
		{"doctor with half an app", "CALLS_APP_SECRET=canary", []string{"doctor"}, []string{"--app-id and --app-secret"}},
		{"doctor with half a TURN key", "CALLSEMU_TURN_KEY=canary", []string{"doctor"}, []string{"--turn-key", "my-key:my-token"}},
		{"doctor without time", "", []string{"doctor", "--timeout=0s"}, []string{"--timeout 0s"}},
		{"healthcheck port", "", []string{"healthcheck", "--listen=127.0.0.1:0"}, []string{"--listen"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var env []string
			if c.env != "" {
				env = []string{c.env}
			}
			got := runToEnd(t, binary, env, c.args...)
			if got.status != 1 || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
				t.Fatalf("status %d, stdout %q, stderr %q", got.status, got.stdout, got.stderr)
			}
			for _, part := range append(c.want, "callsemu: ") {
				if !strings.Contains(got.stderr, part) {
					t.Errorf("no %q in %q", part, got.stderr)
				}
			}
		})
	}
}

// served is a running emulator.
type served struct {
	cmd     *exec.Cmd
	baseURL string
	message string
	log     *bytes.Buffer // complete after wait
	ended   chan error
}

// serve starts the binary and reads its start message.
func serve(t *testing.T, binary string, env []string, args ...string) *served {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = environment(t, env)
	s := &served{cmd: cmd, log: new(bytes.Buffer), ended: make(chan error, 1)}
	cmd.Stderr = s.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewReader(stdout)
	for line := ""; !strings.HasPrefix(line, "  base URL ") && !strings.HasPrefix(line, "{"); { // the last line, or all in JSON
		var err error
		line, err = lines.ReadString('\n')
		if err != nil {
			_ = cmd.Wait()
			t.Fatalf("start message %q ends with %v; log %q", s.message, err, s.log)
		}
		s.message += line
	}
	s.baseURL = regexp.MustCompile(`http://[^\s"]+/v1`).FindString(s.message)
	go func() { // ends with the process, which the test waits for
		_, _ = io.Copy(io.Discard, lines)
		s.ended <- cmd.Wait()
	}()
	return s
}

// stop sends the signal and waits for the end, with status 0.
func (s *served) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("%v: %v; log %q", signal, err, s.log)
		}
	case <-time.After(patience):
		t.Fatalf("%v: still runs", signal)
	}
}

func servesUntilSignal(t *testing.T, binary string) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		env := []string{"CALLSEMU_LISTEN=127.0.0.1:0", "CALLSEMU_STUN=127.0.0.1:0", "CALLSEMU_MEDIA=127.0.0.1",
			"CALLSEMU_APP=shop:sesame,other:to,ken", "CALLSEMU_TURN_KEY=k:x,l:y", "CALLSEMU_MODE=", "CALLSEMU_LOG_FORMAT=json",
			"CALLSEMU_LISEN=x", "CALLSEMU_ZORRO=x", "CALLSEMU_PUBLISH=x", "CALLSEMU_URL=x", "CALLSEMU_PORT_1473_TCP=x", "CALLSEMU_PORT=8080"}
		s := serve(t, binary, env)
		told := startedInJSON(t, s)
		if !maps.Equal(told.Apps, map[string]string{"shop": "sesame", "other": "to,ken"}) || !maps.Equal(told.TURNKeys, map[string]string{"k": "x", "l": "y"}) ||
			len(told.Accounts) != 1 || told.BaseURL != s.baseURL || told.Mode != "dev" || told.Contract != "newest" || len(told.Deviates) != 12 ||
			!strings.HasPrefix(told.STUN, "stun:127.0.0.1:") || len(told.TURN) != 3 || !strings.HasPrefix(strings.Join(told.Media, " "), "udp 127.0.0.1:") {
			t.Errorf("the start message says %+v", told)
		}
		if got := runToEnd(t, binary, nil, "wait", "--url="+s.baseURL, "--timeout="+patience.String()); got.status != 0 {
			t.Errorf("wait: %+v", got)
		}
		listen := "CALLSEMU_LISTEN=" + strings.TrimSuffix(strings.TrimPrefix(s.baseURL, "http://"), "/v1")
		if got := runToEnd(t, binary, []string{listen}, "healthcheck"); got.status != 0 {
			t.Errorf("healthcheck: %+v", got)
		}
		s.stop(t, signal)
		log := s.log.String()
		for part, times := range map[string]int{
			`"variable":"CALLSEMU_LISEN","did_you_mean":"CALLSEMU_LISTEN"`: 1, `"variable":"CALLSEMU_ZORRO"}`: 1, `"variable":"CALLSEMU_PORT"`: 1, `"variable":`: 3,
			`"msg":"callsemu has ended","cause":"` + signal.String() + ` signal received"`: 1,
		} {
			if strings.Count(log, part) != times {
				t.Errorf("%v: not %d times %q in the log\n%s", signal, times, part, log)
			}
		}
	}
}

// started is the start message with --log-format json.
type started struct {
	Level, Version, STUN, CA, Mode, Contract string
	BaseURL                                  string   `json:"base_url"`
	HTTPS, Media, TURN, Deviates             []string // TURN's last one is over TLS
	Apps, Accounts                           map[string]string
	TURNKeys                                 map[string]string `json:"turn_keys"`
}

func startedInJSON(t *testing.T, s *served) (told started) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.message), &told); err != nil || told.Level != "INFO" || strings.Count(s.message, "\n") != 1 {
		t.Errorf("start message %s: %v", s.message, err)
	}
	return told
}

// startsInSight: the message is as narrow as a terminal, names all that was given, and begins and ends with the base URL.
func startsInSight(t *testing.T, binary string) {
	s := serve(t, binary, []string{"CALLSEMU_STATE_DIR=/dev/null/x"}, free("--stun=127.0.0.1:0", "--app=shop:sesame", "--app=other:secret", "--turn-key=k:x",
		"--turn-key=l:y", "--account=acc:tok")...)
	lines := strings.Split(strings.TrimSpace(s.message), "\n")
	if lines[0] != "callsemu serves "+s.baseURL || strings.Join(strings.Fields(lines[len(lines)-1]), " ") != "base URL "+s.baseURL || len(lines) > 21 {
		t.Errorf("start message\n%s", s.message)
	}
	for _, line := range lines {
		if len(line) > columns {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for _, part := range []string{"app id other secret secret", "app id shop secret sesame (any other app id", "TURN key k with API token x", "TURN key l with API token y",
		"account acc with API token tok", "udp 127.0.0.1:", "tcp 127.0.0.1:", "STUN stun:127.0.0.1:", "mode dev, contract newest", "deviates DEV-1 DEV-2 ",
		"DEV-12 (callsemu --help explains them)"} {
		if !strings.Contains(inOneLine(s.message), part) {
			t.Errorf("no %q in the start message\n%s", part, s.message)
		}
	}
	s.stop(t, os.Interrupt)
}

// inOneLine undoes how the message is laid out.
func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// secondOne is told at once what is in its way, and starts with the settings that it is told.
func secondOne(t *testing.T, binary string) {
	first := serve(t, binary, nil, "--listen=127.0.0.1:0", "--media=127.0.0.1", "--stun=127.0.0.1:0", "--log-format=json")
	told := startedInJSON(t, first)
	at := func(url string) string { return regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(url) }
	same := []string{"--media=127.0.0.1", "--listen=" + at(told.BaseURL), "--stun=" + at(told.STUN), "--turn-tls=" + at(told.TURN[len(told.TURN)-1])}
	got := runToEnd(t, binary, nil, same...)
	want := "callsemu: --listen " + at(told.BaseURL) + ": callsemu runs there already; in use as well: --stun " + at(told.STUN) + ", --turn-tls " +
		at(told.TURN[len(told.TURN)-1]) + "; use that one, or take free ports with --listen 127.0.0.1:0 --stun 127.0.0.1:0 --turn-tls 127.0.0.1:0; " +
		"--stun off does without STUN and TURN\n"
	if got.status != 1 || got.stderr != want {
		t.Fatalf("got %+v, want %s", got, want)
	}
	_, flags, _ := strings.Cut(strings.Split(got.stderr, "; --stun off")[0], "take free ports with ")
	second := serve(t, binary, nil, append([]string{"--media=127.0.0.1"}, strings.Fields(flags)...)...)
	second.stop(t, os.Interrupt)
	if got := runToEnd(t, binary, nil, "--stun=off", same[1]); !strings.Contains(got.stderr, "callsemu runs there already; use that one") {
		t.Errorf("one port alone: %+v", got)
	}
	for _, args := range [][]string{{"--stun=off", "--listen=" + at(told.STUN)}, free("--https=" + at(told.BaseURL))} {
		if got := runToEnd(t, binary, nil, args...); !strings.Contains(got.stderr, "in use by another program") {
			t.Errorf("a port that is not the API's, or not wanted for it: %+v", got)
		}
	}
	first.stop(t, os.Interrupt)
}

func startsAsOfADay(t *testing.T, binary string) {
	s := serve(t, binary, nil, "--listen=127.0.0.1:0", "--media=127.0.0.1", "--stun=off", "--mode=real", "--contract=2025-12-31")
	for _, c := range session.Changes() {
		if !strings.Contains(inOneLine(s.message), "from "+c.Since+" on: "+c.Help) {
			t.Errorf("no change of %s in the start message\n%s", c.Since, s.message)
		}
	}
	if !strings.Contains(s.message, "real, contract 2025-12-31") || strings.Contains(s.message, "DEV-1 ") {
		t.Errorf("start message\n%s", s.message)
	}
	s.stop(t, os.Interrupt)
}

func waitGivesUp(t *testing.T, binary string) {
	addr := porttest.Reserve(t) // where nobody listens
	got := runToEnd(t, binary, []string{"CALLSEMU_TIMEOUT=soon"}, "wait", "--url=http://"+addr, "--timeout=100ms")
	if got.status != 1 || !strings.Contains(got.stderr, "not ready within 100ms") || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("wait: %+v", got)
	}
	got = runToEnd(t, binary, nil, "healthcheck", "--listen="+addr)
	if got.status != 1 || !strings.Contains(got.stderr, "not healthy") {
		t.Errorf("healthcheck: %+v", got)
	}
}

func helpNamesAll(t *testing.T, binary string) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"serve", "--help"}} {
		got := runToEnd(t, binary, nil, args...)
		if got.status != 0 || got.stderr != "" {
			t.Fatalf("%v: %+v", args, got)
		}
		for _, part := range []string{"--listen", "--media", "--advertise", "--stun", "--mode", "--app", "--set", "--emu", "--host", "--contract",
			"--https", "--tls-name", "--tls-cert", "--tls-key", "--state-dir", "--account",
			"--log-format", "--log-level", "CALLSEMU_LISTEN", "CALLSEMU_LOG_LEVEL", "transport-wait", "max-dev-apps", "--media=IP[:PORT],...", "DEV-1 ", "STR-2 "} {
			if !strings.Contains(got.stdout, part) {
				t.Errorf("%v: no %q", args, part)
			}
		}
	}
}

// helpOfACommand: help takes a sub-command as --help does.
func helpOfACommand(t *testing.T, binary string) {
	asked, got := runToEnd(t, binary, nil, "wait", "--help"), runToEnd(t, binary, nil, "help", "wait")
	if got != asked || got.status != 0 || !strings.Contains(got.stdout, "Usage: callsemu wait") {
		t.Errorf("got %+v, want %+v", got, asked)
	}
}

// doctorExamines runs doctor beside an emulator, whose CA it finds in the state directory, and after that emulator's end.
func doctorExamines(t *testing.T, binary string) {
	env := []string{"CALLSEMU_STATE_DIR=" + t.TempDir(), "CALLSEMU_TURN_KEY=key:tok,en", "CALLSEMU_APP=shop:sesame"}
	s := serve(t, binary, env, "--listen=127.0.0.1:0", "--media=127.0.0.1", "--stun=127.0.0.1:0", "--mode=real")
	if got := runToEnd(t, binary, nil, "wait", "--url="+s.baseURL, "--timeout="+patience.String()); got.status != 0 {
		t.Errorf("wait: %+v", got)
	}
	args := []string{"doctor", "--url=" + s.baseURL, "--timeout=" + patience.String()}
	right := append(env, "CALLS_APP_ID=shop", "CALLS_APP_SECRET=sesame")
	got := runToEnd(t, binary, right, args...)
	for _, part := range []string{"ok      api: app shop", "ok      turn-tls: ", "skipped ice-tcp: ", "\n12 ok, 0 failed, 1 skipped: a client gets media\n"} {
		if got.status != 0 || got.stderr != "" || !strings.Contains(got.stdout, part) {
			t.Errorf("no %q in %+v", part, got)
		}
	}
	var report struct {
		Healthy bool
		OK      int
		Checks  []struct{ Name, Verdict, Text string }
	}
	got = runToEnd(t, binary, right, append(args, "--json")...)
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.status != 0 || !report.Healthy || report.OK != 12 || len(report.Checks) != 13 {
		t.Errorf("%+v: %v", got, err)
	}
	wrong := append(env, "CALLS_APP_ID=shop", "CALLS_APP_SECRET=canary")
	if got = runToEnd(t, binary, wrong, args...); got.status != 1 || got.stderr != "" || strings.Contains(got.stdout, "canary") ||
		!strings.HasSuffix(got.stdout, ": a client gets no media\n") {
		t.Errorf("with a wrong secret: %+v", got)
	}
	s.stop(t, os.Interrupt)
	if got = runToEnd(t, binary, right, args...); got.status != 1 || !strings.Contains(got.stdout, "FAILED  connect: nothing listens") {
		t.Errorf("after its end: %+v", got)
	}
}

func printsVersion(t *testing.T, binary string) {
	for _, args := range []string{"version", "--version"} {
		got := runToEnd(t, binary, nil, args)
		if got.status != 0 || !regexp.MustCompile(`^callsemu \S+ \(.*go1\.\S+\)\n$`).MatchString(got.stdout) {
			t.Errorf("%s: got %+v", args, got)
		}
	}
}
