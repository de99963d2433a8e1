package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/callsemu/callsemu/cmd/callsemu/internal/doctor"
	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/certs"
)

// trustedCA is the CA that wait and doctor trust besides the system's.
type trustedCA struct {
	CAFile   string `name:"ca-file" env:"CALLSEMU_CA_FILE" placeholder:"FILE" help:"A CA to trust besides the system's. Without it, the one that callsemu keeps on this machine, if there is one."`
	StateDir string `env:"CALLSEMU_STATE_DIR" placeholder:"DIR" help:"Where callsemu keeps its CA, as with serve."`
}

// read reads the CA that was named, or the one that serve keeps here; to have none is no error.
func (t trustedCA) read() (pem []byte, file string, err error) {
	if t.CAFile != "" {
		if pem, err = os.ReadFile(t.CAFile); err != nil {
			return nil, "", fmt.Errorf("--ca-file %s: %w; curl -so FILE URL/_emu/ca.pem gets it", t.CAFile, err)
		}
		return pem, t.CAFile, nil
	}
	dir, err := stateDir(t.StateDir)
	if err != nil {
		return nil, "", nil //nolint:nilerr // no directory, no CA
	}
	file = filepath.Join(dir, "ca.pem")
	if pem, err = os.ReadFile(file); err != nil {
		return nil, "", nil //nolint:nilerr // as above
	}
	return pem, file, nil
}

// roots are what a client trusts at this moment.
func (t trustedCA) roots() (*x509.CertPool, error) {
	pem, file, err := t.read()
	if err != nil {
		return nil, err
	}
	return doctor.Roots(pem, file)
}

// keptCA is what ca and env have in common: the CA that serve will use with the same settings.
type keptCA struct {
	StateDir string   `env:"CALLSEMU_STATE_DIR" placeholder:"DIR" help:"Where the CA is kept, as with serve."`
	TLSName  []string `name:"tls-name" env:"CALLSEMU_TLS_NAME" placeholder:"NAME" help:"What the CA has to cover besides the usual, as with serve."`
}

// open opens the CA, or makes the one that serve will find. It changes none: to look at it is not to ask for more.
func (k keptCA) open(log io.Writer) (*certs.Source, error) {
	dir, err := stateDir(k.StateDir)
	if err != nil {
		return nil, fmt.Errorf("there is no directory for the CA (%w); name one with --state-dir DIR", err)
	}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	source, err := certs.Keep(certs.Config{Dir: dir, Names: k.TLSName, Machine: certs.Machine(), Logger: logger})
	switch {
	case errors.Is(err, certs.ErrStale) && len(k.TLSName) > 0:
		names := strings.Join(k.TLSName, ",")
		return nil, &emulator.ConfigError{Setting: "tls-name", Value: names, Problem: err.Error() + " (" + dir + ")",
			Cure: "start callsemu with --tls-name " + names + ", which makes the CA good for it", Cause: err}
	case errors.Is(err, certs.ErrStale):
		return nil, &emulator.ConfigError{Setting: "state-dir", Value: dir, Problem: err.Error(), Cure: "start callsemu, which replaces it", Cause: err}
	case errors.Is(err, certs.ErrBelow):
		return nil, &emulator.ConfigError{Setting: "tls-name", Value: strings.Join(k.TLSName, ","), Problem: err.Error(),
			Cure: "name others, or keep another CA with --state-dir DIR", Cause: err}
	case errors.Is(err, certs.ErrMemory):
		return nil, &emulator.ConfigError{Setting: "state-dir", Value: dir, Problem: err.Error(),
			Cure: "a running callsemu gives its CA at /_emu/ca.pem", Cause: err}
	case err != nil:
		return nil, &emulator.ConfigError{Setting: "tls-name", Value: strings.Join(k.TLSName, ","), Problem: err.Error(),
			Cure: "write host names like calls.example, and addresses like 192.0.2.7", Cause: err}
	}
	return source, nil
}

type caCommand struct {
	keptCA
}

// Run prints the CA in PEM.
func (c *caCommand) Run(out streams) error {
	source, err := c.open(out.stderr)
	if err != nil {
		return err
	}
	_, err = out.stdout.Write(source.CA())
	return err
}

type envCommand struct {
	keptCA
	URL    string `name:"url" default:"http://127.0.0.1:1473" env:"CALLSEMU_URL" help:"Where the emulator is."`
	CAFile string `name:"ca-file" env:"CALLSEMU_CA_FILE" placeholder:"FILE" help:"The CA where it is not this machine's: a copy of what the emulator gives at /_emu/ca.pem."`
}

// Run prints lines for a shell to evaluate, and comments for what no variable can do.
func (e *envCommand) Run(out streams) error {
	target, err := url.Parse(e.URL)
	if err != nil || target.Hostname() == "" {
		return fmt.Errorf("--url %s: not a URL; write it like http://127.0.0.1:1473", e.URL)
	}
	t := trust{host: target.Hostname(), port: orDefault(target.Port(), map[string]string{"https": "443"}[target.Scheme], "80"), ca: e.CAFile}
	if e.CAFile != "" {
		t.bundle = e.CAFile
	} else {
		source, err := e.open(out.stderr)
		if err != nil {
			return err
		}
		t.ca = source.File()
		if t.bundle, err = source.Bundle(os.Getenv("SSL_CERT_FILE")); err != nil {
			return err
		}
	}
	if t.pin, err = certs.PinOf(t.ca); err != nil {
		return fmt.Errorf("--ca-file %s: %w; curl -so FILE %s/_emu/ca.pem gets it", t.ca, err, strings.TrimSuffix(e.URL, "/"))
	}
	_, err = io.WriteString(out.stdout, t.text())
	return err
}

// orDefault is the first value that is not empty.
func orDefault(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// trust is what a client needs to know.
type trust struct {
	host, port string
	ca         string // file with the CA
	bundle     string // file with the CA and what the system trusts
	pin        string
}

// realNames are those of the service that speak HTTPS.
var realNames = []string{"rtc.live.cloudflare.com", "api.cloudflare.com"}

// relayNames are those that STUN and TURN are known by. Chromium looks them up with a dot at the end when they are to be reached over
// UDP, and takes neither a rule nor a line of /etc/hosts without the dot for that; over TCP and TLS it has no dot.
var relayNames = []string{"stun.cloudflare.com", "stun.cloudflare.com.", "turn.cloudflare.com", "turn.cloudflare.com."}

func (t trust) text() string {
	at := t.host + ":" + t.port
	if strings.Contains(t.host, ":") {
		at = "[" + t.host + "]:" + t.port
	}
	// A name suits those, too, that cannot verify an address, such as workerd.
	name := at
	if addr, err := netip.ParseAddr(t.host); err == nil && addr.IsLoopback() {
		name = "localhost:" + t.port
	}
	address := t.host
	if addr, err := netip.ParseAddr(t.host); err != nil || addr.Is6() {
		address = "127.0.0.1"
	}
	var toHosts, rules []string
	for _, name := range realNames {
		toHosts = append(toHosts, "--connect-to "+name+":443:"+at)
		rules = append(rules, "MAP "+name+" "+at)
	}
	for _, name := range relayNames {
		rules = append(rules, "MAP "+name+" "+t.host)
	}
	store := filepath.Join(filepath.Dir(t.ca), "callsemu.p12")
	ca, bundle := quoted(t.ca), quoted(t.bundle)
	return `# What HTTPS to callsemu at ` + at + ` takes.  eval "$(callsemu env)"  sets the variables in a shell;
# the other lines are to be copied.

export CALLS_API_URL='https://` + name + `/v1'

# Node.js; wrangler and miniflare hand it on to workerd
export NODE_EXTRA_CA_CERTS=` + ca + `
# Go on Linux, Python's ssl, OpenSSL
export SSL_CERT_FILE=` + bundle + `
# Python's requests
export REQUESTS_CA_BUNDLE=` + bundle + `
# curl
export CURL_CA_BUNDLE=` + bundle + `

# curl, under the names of the service
#   curl --cacert ` + ca + ` ` + strings.Join(toHosts, " ") + ` \
#     https://rtc.live.cloudflare.com/v1/apps/my-app/sessions/new -X POST -H 'Authorization: Bearer my-token'
# with callsemu --https ` + address + `:443 also
#   curl --cacert ` + ca + ` --resolve rtc.live.cloudflare.com:443:` + address + ` https://rtc.live.cloudflare.com/...

# Any program that has the names written into it: callsemu --https ` + address + `:443, and this line in /etc/hosts
#   ` + address + ` ` + strings.Join(append(realNames[:len(realNames):len(realNames)], relayNames...), " ") + `

# Java
#   rm -f ` + quoted(store) + `; keytool -importcert -noprompt -alias callsemu -file ` + ca + ` -keystore ` + quoted(store) + ` -storetype PKCS12 -storepass changeit
#   java -Djavax.net.ssl.trustStore=` + quoted(store) + ` -Djavax.net.ssl.trustStorePassword=changeit ...

# Chromium and Chrome, in a profile of their own
#   chromium --user-data-dir=` + quoted(filepath.Join(os.TempDir(), "callsemu-profile")) + ` --ignore-certificate-errors-spki-list=` + t.pin + ` \
#     --host-resolver-rules='` + strings.Join(rules, ", ") + `'
# or for good, on Linux; for Firefox -d names the directory of its profile
#   certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n callsemu -i ` + ca + `

# workerd by itself: copy the CA beside its configuration, and in that, in the network that fetches
#   tlsOptions = (trustBrowserCas = true, trustedCertificates = [embed "` + filepath.Base(t.ca) + `"])
`
}

// quoted makes one word of a text for a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
