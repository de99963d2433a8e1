package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// free are settings under which any number of emulators run beside each other.
func free(more ...string) []string {
	return append([]string{"--listen=127.0.0.1:0", "--media=127.0.0.1", "--stun=off"}, more...)
}

// tellsWhomToTrust makes the CA with ca, starts an emulator that uses it, and reaches it as env says.
func tellsWhomToTrust(t *testing.T, binary string) {
	dir := filepath.Join(t.TempDir(), "it's here") // a name that a shell would take apart
	state := []string{"CALLSEMU_STATE_DIR=" + dir, "CALLSEMU_TLS_NAME=calls.test"}
	ca := runToEnd(t, binary, state, "ca")
	if ca.status != 0 || ca.stderr != "" || !strings.HasPrefix(ca.stdout, "-----BEGIN CERTIFICATE-----") {
		t.Fatalf("ca: %+v", ca)
	}
	s := serve(t, binary, state, free()...)
	if !strings.Contains(s.message, filepath.Join(dir, "ca.pem")) {
		t.Errorf("start message\n%s", s.message)
	}
	root := strings.TrimSuffix(s.baseURL, "/v1")
	env := runToEnd(t, binary, state, "env", "--url="+root)
	if env.status != 0 || env.stderr != "" {
		t.Fatalf("env: %+v", env)
	}
	for _, host := range []string{"stun.cloudflare.com", "turn.cloudflare.com"} {
		for _, want := range []string{"MAP " + host + " 127.0.0.1", "MAP " + host + ". 127.0.0.1", " " + host + " " + host + "."} {
			if !strings.Contains(env.stdout, want) {
				t.Errorf("env names no %q, which Chromium needs", want)
			}
		}
	}
	vars := evaluated(t, env.stdout)
	for name, want := range map[string]string{
		"NODE_EXTRA_CA_CERTS": filepath.Join(dir, "ca.pem"), "SSL_CERT_FILE": filepath.Join(dir, "bundle.pem"),
		"REQUESTS_CA_BUNDLE": filepath.Join(dir, "bundle.pem"), "CURL_CA_BUNDLE": filepath.Join(dir, "bundle.pem"),
		"CALLS_API_URL": strings.Replace(s.baseURL, "http://127.0.0.1", "https://localhost", 1),
	} {
		if vars[name] != want {
			t.Errorf("%s is %q, want %q", name, vars[name], want)
		}
	}
	keepsTrust(t, binary, state, ca.stdout)
	for _, file := range []string{vars["NODE_EXTRA_CA_CERTS"], vars["SSL_CERT_FILE"]} {
		trusted, err := os.ReadFile(file)
		if err != nil || bytes.HasSuffix(trusted, []byte(ca.stdout)) { // it is the new one
			t.Errorf("%s: %v", file, err)
		}
		if status := healthOver(t, vars["CALLS_API_URL"], trusted); status != http.StatusOK {
			t.Errorf("trusting %s: status %d", file, status)
		}
	}
	if got := runToEnd(t, binary, state, "wait", "--url="+strings.Replace(root, "http:", "https:", 1), "--timeout="+patience.String()); got.status != 0 {
		t.Errorf("wait over HTTPS: %+v", got)
	}
	s.stop(t, os.Interrupt)

	elsewhere := runToEnd(t, binary, nil, "env", "--url=https://calls.test", "--ca-file="+filepath.Join(dir, "ca.pem"))
	vars = evaluated(t, elsewhere.stdout)
	if vars["CALLS_API_URL"] != "https://calls.test:443/v1" || vars["SSL_CERT_FILE"] != filepath.Join(dir, "ca.pem") {
		t.Errorf("a CA of another machine: %+v", elsewhere)
	}
}

// keepsTrust asks for what the CA lacks while an emulator runs: looking at it changes nothing, another start gives it a new certificate.
func keepsTrust(t *testing.T, binary string, state []string, former string) {
	for _, command := range []string{"ca", "env"} {
		got := runToEnd(t, binary, state, command, "--tls-name=other.test")
		if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "start callsemu with --tls-name other.test") {
			t.Errorf("%s of a name that the CA lacks: %+v", command, got)
		}
	}
	serve(t, binary, state, free("--turn-host=turn.test")...).stop(t, os.Interrupt)
	if got := runToEnd(t, binary, state, "ca"); got.status != 0 || got.stdout != former {
		t.Errorf("the CA has changed: %+v", got)
	}
	another := serve(t, binary, state, free("--tls-name=other.test")...)
	another.stop(t, os.Interrupt)
	if got := runToEnd(t, binary, state, "ca"); got.status != 0 || got.stdout == former || !strings.Contains(another.log.String(), "stays trusted") {
		t.Errorf("the CA has not changed: %+v", got)
	}
}

// evaluated lets a shell evaluate the output of env and returns what it sets.
func evaluated(t *testing.T, text string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", `eval "$1"; env`, "sh", text)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sh: %v\n%s", err, text)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars[name] = value
	}
	return vars
}

// healthOver asks over HTTPS whether the emulator is up.
func healthOver(t *testing.T, baseURL string, trusted []byte) int {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get(strings.TrimSuffix(baseURL, "/v1") + "/healthz")
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// logsNoSecret gives the emulator secrets in every way there is, lets calls succeed and fail with them, and looks for them in
// the log. The start message alone shows what was seeded.
func logsNoSecret(t *testing.T, binary string) {
	s := serve(t, binary, []string{"CALLSEMU_LOG_LEVEL=debug", "CALLSEMU_APP=shop:canary-app-secret", "CALLSEMU_ACCOUNT=acc:canary-api-token"},
		free("--mode=real")...)
	root := strings.TrimSuffix(s.baseURL, "/v1")
	var shown []string // secrets that answers held
	for _, c := range []struct{ method, path, token, body string }{
		{"POST", "/v1/apps/shop/sessions/new", "canary-app-secret", ""},
		{"POST", "/v1/apps/shop/sessions/new", "canary-wrong-secret", ""},
		{"POST", "/v1/apps/shop/sessions/canary-app-secret/tracks/new", "canary-app-secret", "{"},
		{"POST", "/client/v4/accounts/acc/calls/apps", "canary-api-token", `{"name":"x"}`},
		{"POST", "/client/v4/accounts/acc/calls/turn_keys", "canary-api-token", `{"name":"x"}`},
		{"POST", "/client/v4/accounts/acc/calls/apps", "canary-api-token", `{"name":7}`},
		{"GET", "/client/v4/accounts/acc/calls/canary-api-token", "canary-api-token", ""},
		{"GET", "/client/v4/accounts/acc/calls/apps/canary-api-token", "canary-api-token", ""},
		{"GET", "/client/v4/accounts/acc/calls/apps", "canary-wrong-token", ""},
		{"GET", "/client/v4/accounts/other/calls/apps", "canary-api-token", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, root+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, after, found := strings.Cut(string(text), `"secret":"`); found {
			shown = append(shown, after[:64])
		}
	}
	s.stop(t, syscall.SIGTERM)
	if log := s.log.String(); len(shown) != 2 || strings.Contains(log, "canary") || strings.Contains(log, shown[0]) || strings.Contains(log, shown[1]) ||
		strings.Count(log, "msg=api") != 10 {
		t.Errorf("secrets %q, log\n%s", shown, log)
	}
}
