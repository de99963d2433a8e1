package emulator

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/certs"
	"github.com/callsemu/callsemu/openapi"
)

// trusting is a client that trusts a CA and takes every name for the address.
func trusting(t *testing.T, ca []byte, addr string, edit ...func(*http.Transport)) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatal("no CA")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
	for _, f := range edit {
		f(transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// fetch reads an answer to its end.
func fetch(t *testing.T, client *http.Client, method, url string, header ...string) (proto string, a answer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Proto, answer{resp.StatusCode, resp.Header, string(text)}
}

func httpOneOnly(tr *http.Transport) {
	tr.ForceAttemptHTTP2 = false
	tr.TLSClientConfig.NextProtos = nil // no ALPN at all, as older clients do
}

func TestHTTPSUnderEveryNameOnThePortOfHTTP(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.TLSNames = []string{"calls.test", "192.0.2.99"}
		c.HTTPS = append([]string{"127.0.0.1:0"}, onIPv6(t, "0")...)
	})
	urls := r.e.HTTPSURLs()
	if len(urls) != 1+len(r.e.cfg.HTTPS) || urls[0] != strings.Replace(r.e.BaseURL(), "http", "https", 1) || strings.HasSuffix(urls[1], ":0/v1") {
		t.Fatalf("URLs %v", urls)
	}
	ca := []byte(r.do("GET", "/_emu/ca.pem", nil).body)
	for _, base := range urls {
		addr := strings.TrimSuffix(strings.TrimPrefix(base, "https://"), "/v1")
		two, one := trusting(t, ca, addr), trusting(t, ca, addr, httpOneOnly)
		for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "rtc.live.cloudflare.com", "api.cloudflare.com", "turn.cloudflare.com",
			"stun.cloudflare.com", "calls.test", "192.0.2.99"} {
			proto, a := fetch(t, two, "POST", "https://"+host+"/v1/apps/shop/sessions/new", bearerOK)
			if a.status != 201 || proto != "HTTP/2.0" {
				t.Errorf("%s at %s: %d over %s", host, addr, a.status, proto)
			}
			proto, a = fetch(t, one, "POST", "https://"+host+"/v1/apps/shop/sessions/new", bearerOK)
			if a.status != 201 || proto != "HTTP/1.1" {
				t.Errorf("%s at %s without ALPN: %d over %s", host, addr, a.status, proto)
			}
			if _, a := fetch(t, two, "GET", "https://"+host+"/_emu/state"); a.status != 200 {
				t.Errorf("%s at %s: the zone answers %d", host, addr, a.status)
			}
		}
		if resp, err := two.Get("https://example.com/healthz"); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s is taken for example.com", addr)
		}
	}
	ice := dial(t, r.e.listen.String())
	mustWrite(t, ice, frame)
	if _, a := fetch(t, r.client, "GET", strings.TrimSuffix(r.e.BaseURL(), "/v1")+"/healthz"); a.status != 200 {
		t.Error("plain HTTP is gone")
	}
}

func TestPageOfTheZoneOverHTTPSIsItsOwn(t *testing.T) {
	r := newRig(t)
	client := trusting(t, r.e.CA(), r.e.listen.String())
	for origin, status := range map[string]int{"https://rtc.live.cloudflare.com": 200, "https://evil.example": 403} {
		if _, a := fetch(t, client, "GET", "https://rtc.live.cloudflare.com/_emu/clock", "Origin: "+origin); a.status != status {
			t.Errorf("%s: %d", origin, a.status)
		}
	}
}

func TestCAIsGivenToThoseWhoAsk(t *testing.T) {
	r := newRig(t)
	a := r.do("GET", "/_emu/ca.pem", nil)
	if a.status != 200 || a.body != string(r.e.CA()) || a.header.Get("Content-Type") != "application/x-pem-file" || r.e.CAFile() != "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	d, err := openapi.LoadEmu()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ValidateResponse("GET", "/_emu/ca.pem", a.status, a.header, []byte(a.body)); err != nil {
		t.Error(err)
	}
	if a := r.do("POST", "/_emu/ca.pem", nil); a.status != 405 || a.header.Get("Allow") != "GET" {
		t.Errorf("POST: %d %v", a.status, a.header)
	}
}

func TestCAIsNotGivenWithoutTheZone(t *testing.T) {
	r := newRig(t, func(c *Config) { c.HideEmu = true })
	if a := r.do("GET", "/_emu/ca.pem", nil); a.status != 404 || r.e.CA() == nil {
		t.Errorf("%d", a.status)
	}
}

func TestCAStaysTheSameWithAStateDirectory(t *testing.T) {
	dir := t.TempDir()
	var cas []string
	for range 2 {
		t.Run("start", func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.StateDir = dir })
			cas = append(cas, string(r.e.CA()))
			if r.e.CAFile() != filepath.Join(dir, "ca.pem") {
				t.Errorf("kept in %q", r.e.CAFile())
			}
		})
	}
	if len(slices.Compact(cas)) != 1 {
		t.Error("another CA after the next start")
	}
}

// Whoever starts one more emulator with a setting that has no effect in it does not change the CA for the others.
func TestHostOfTURNIsOneOfTheCertificateWhereTURNIsSpokenOverTLS(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		want bool
	}{
		"over TLS":    {func(c *Config) { c.STUN = "127.0.0.1:0" }, true},
		"without TLS": {func(c *Config) { c.STUN, c.TURNTLS = "127.0.0.1:0", STUNOff }, false},
		"off":         {func(c *Config) { c.STUN = STUNOff }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.edit, func(c *Config) { c.TURNHost, c.TLSNames = "turn.test", []string{"calls.test"} })
			if names := r.e.secure.source.Names(); slices.Contains(names, "turn.test") != c.want || !slices.Contains(names, "calls.test") {
				t.Errorf("names %v", names)
			}
		})
	}
}

func TestCertificateOfTheUsersIsServed(t *testing.T) {
	cert, key, ca := userCert(t)
	r := newRig(t, func(c *Config) { c.TLSCert, c.TLSKey = cert, key; c.Hosts = []string{"calls.test"} })
	client := trusting(t, ca, r.e.listen.String())
	if proto, a := fetch(t, client, "POST", "https://calls.test/v1/apps/shop/sessions/new", bearerOK); a.status != 201 || proto != "HTTP/2.0" {
		t.Errorf("%d over %s", a.status, proto)
	}
	if a := r.do("GET", "/_emu/ca.pem", nil); a.status != 404 || r.e.CA() != nil {
		t.Errorf("there is a CA: %d", a.status)
	}
}

// userCert makes the files of --tls-cert and --tls-key, and their CA.
func userCert(t *testing.T) (cert, key string, ca []byte) {
	t.Helper()
	source, err := certs.Open(certs.Config{Names: []string{"calls.test"}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := source.TLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, source.CA()
}

func TestSettingsOfHTTPSThatCannotBeUsed(t *testing.T) {
	cert, key, _ := userCert(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		edit    func(*Config)
		setting string
	}{
		{func(c *Config) { c.HTTPS = []string{"443"} }, "https"},
		{func(c *Config) { c.HTTPS = []string{"127.0.0.1:0", busy.Addr().String()} }, "https"},
		{func(c *Config) { c.HTTPS = []string{"203.0.113.9:0"} }, "https"},
		{func(c *Config) { c.TLSNames = []string{"*.example.com"} }, "tls-name"},
		{func(c *Config) { c.TLSNames = []string{"https://example.com"} }, "tls-name"},
		{func(c *Config) { c.TLSNames = []string{"calls.test", "x.calls.test"} }, "tls-name"},
		{func(c *Config) { c.TLSCert = cert }, "tls-cert"},
		{func(c *Config) { c.TLSKey = key }, "tls-key"},
		{func(c *Config) { c.TLSCert, c.TLSKey = key, cert }, "tls-cert"},
		{func(c *Config) { c.TLSCert, c.TLSKey = cert, cert+"none" }, "tls-cert"},
		{func(c *Config) { c.TLSCert, c.TLSKey, c.TLSNames = cert, key, []string{"calls.test"} }, "tls-name"},
	} {
		e, err := New(quiet(c.edit))
		var wrong *ConfigError
		if !errors.As(err, &wrong) || wrong.Setting != c.setting || wrong.Cure == "" {
			t.Errorf("--%s: %v", c.setting, err)
		}
		if e != nil {
			_ = e.Close()
		}
	}
}

// startSecure runs a demux whose door takes TLS alone, with an echo for STUN inside it where inside is set.
func startSecure(t *testing.T, inside bool, edit func(*demux)) (addr string, source *certs.Source, log *lockedBuffer) {
	t.Helper()
	source, err := certs.Open(certs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	addr, log = startDemux(t, func(d *demux) {
		d.trust = (&secure{source: source}).cure()
		at := &d.doors[0].entrance
		within := &entrance{web: at.web}
		if inside {
			within.stun = at.stun
		}
		*at = entrance{tls: source.TLS(), within: within}
		at.tls.NextProtos = append([]string{"stun.turn"}, webProtocols...)
		edit(d)
	})
	return addr, source, log
}

func dialTLS(t *testing.T, addr string, ca []byte, alpn ...string) *tls.Conn {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return tls.Client(dial(t, addr), &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: alpn})
}

func TestFirstByteInsideTLSTellsTheProtocolToo(t *testing.T) {
	addr, source, _ := startSecure(t, true, func(*demux) {})
	for _, alpn := range [][]string{nil, {"stun.turn"}} { // RFC 7443
		conn := dialTLS(t, addr, source.CA(), alpn...)
		got := make([]byte, len(frame))
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, frame) {
			t.Errorf("STUN with ALPN %q: got %x, %v", alpn, got, err)
		}
	}
	for _, edit := range []func(*http.Transport){func(*http.Transport) {}, httpOneOnly} {
		if _, a := fetch(t, trusting(t, source.CA(), addr, edit), "GET", "https://localhost/"); a.body != "web" {
			t.Errorf("HTTP: %+v", a)
		}
	}
}

func TestWhatADoorForTLSRefuses(t *testing.T) {
	addr, source, log := startSecure(t, false, func(*demux) {})
	plain := dial(t, addr)
	mustWrite(t, plain, []byte("GET / HTTP/1.1\r\n\r\n"))
	wantEnd(t, plain)
	mustWaitFor(t, "the line about plain HTTP", func() bool { return bytes.Contains(log.Bytes(), []byte("a URL that begins with https://")) })

	inside := dialTLS(t, addr, source.CA())
	if _, err := inside.Write(frame); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, inside)

	if err := dialTLS(t, addr, nil).Handshake(); err == nil {
		t.Error("connected without the CA")
	}
	mustWaitFor(t, "the line about the CA", func() bool { return bytes.Contains(log.Bytes(), []byte("callsemu env tells how")) })
}

// On every port for TLS the log tells the same cure for a certificate that is not trusted, the one for whose it is.
func TestCertificateThatIsNotTrusted(t *testing.T) {
	cert, key, _ := userCert(t)
	for name, c := range map[string]struct {
		edit func(*Config)
		cure string
	}{
		"callsemu's":  {func(*Config) {}, "callsemu env tells how to trust its CA"},
		"of the user": {func(c *Config) { c.TLSCert, c.TLSKey = cert, key }, "it is that of --tls-cert, so let the client trust the CA which signed that"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.edit, func(c *Config) { c.STUN = "127.0.0.1:0" })
			for addr, line := range map[string]string{
				r.e.listen.String():         `"msg":"a client does not trust the certificate; ` + c.cure + `"`,
				r.e.stun.TLSAddr().String(): `"cure":"` + c.cure + `"`,
			} {
				if err := dialTLS(t, addr, nil).Handshake(); err == nil {
					t.Errorf("%s: connected without the CA", addr)
				}
				mustWaitFor(t, line, func() bool { return bytes.Contains(r.log.Bytes(), []byte(line)) })
			}
		})
	}
}

func TestHandshakeThatStallsIsEnded(t *testing.T) {
	addr, _, _ := startSecure(t, false, func(d *demux) { d.wait = 10 * time.Millisecond })
	conn := dial(t, addr)
	mustWrite(t, conn, []byte{tlsHandshake})
	wantEnd(t, conn)
}

func TestCloseEndsHandshakesAtOnce(t *testing.T) {
	var d *demux
	addr, _, _ := startSecure(t, false, func(made *demux) { d = made; d.wait = time.Hour })
	conn := dial(t, addr)
	mustWrite(t, conn, []byte{tlsHandshake, 3, 1})
	mustWaitFor(t, "the connection to be accepted", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.silent) == 1
	})
	d.close()
	wantEnd(t, conn)
}
