package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Config says what to examine, and as whom.
type Config struct {
	URL                string        // with or without a path; only scheme and host count
	AppID, AppSecret   string        // empty: made up, which an emulator in the mode dev takes
	TURNKey, TURNToken string        // the same
	CA                 []byte        // PEM trusted besides the system's; may be empty
	CAFile             string        // where CA comes from, for texts
	Timeout            time.Duration // of each check
}

// Verdict is the outcome of a check.
type Verdict string

// The outcomes. What is skipped could not be tried, or is not there to be tried.
const (
	OK      Verdict = "ok"
	Failed  Verdict = "FAILED"
	Skipped Verdict = "skipped"
)

// Result is one check.
type Result struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`           // what was found
	Cure    string  `json:"cure,omitempty"` // what to change, where it failed
}

// String is the line for people.
func (r Result) String() string {
	line := fmt.Sprintf("%-7s %s: %s", r.Verdict, r.Name, r.Text)
	if r.Cure != "" {
		line += "; " + r.Cure
	}
	return strings.ReplaceAll(line, "\n", " ")
}

// Report is the whole examination.
type Report struct {
	Healthy bool     `json:"healthy"` // the API works, and media flows in at least one way
	OK      int      `json:"ok"`
	Failed  int      `json:"failed"`
	Skipped int      `json:"skipped"`
	Checks  []Result `json:"checks"`
}

// Summary is the last line for people.
func (r Report) Summary() string {
	end := "a client gets media"
	if !r.Healthy {
		end = "a client gets no media"
	}
	return fmt.Sprintf("%d ok, %d failed, %d skipped: %s", r.OK, r.Failed, r.Skipped, end)
}

func (r *Report) add(result Result) {
	switch result.Verdict {
	case OK:
		r.OK++
	case Failed:
		r.Failed++
	default:
		r.Skipped++
	}
	r.Checks = append(r.Checks, result)
}

// patient is one examination: what the checks have found so far.
type patient struct {
	cfg    Config
	url    *url.URL
	host   string // of the URL
	port   uint16
	addrs  []netip.Addr // that host stands for
	roots  *x509.CertPool
	client *http.Client

	app, key account // as whom
	made     bool    // a session, on app

	zone       bool        // there is a /_emu/
	candidates []candidate // of an SDP
	ice        []iceURL
	iceAuth    credential
}

// account is an id with its secret.
type account struct {
	id, secret string
	given      bool // by the user
}

func accountOf(id, secret string) account {
	if id == "" && secret == "" {
		return account{id: "doctor-" + strings.ToLower(rand.Text()[:8]), secret: "any-token"} // an id of its own, for tidy
	}
	return account{id, secret, true}
}

// check is one question of the first step.
type check struct {
	name string
	// essential: where it fails, nothing after it can be asked.
	essential func(p *patient) bool
	ask       func(ctx context.Context, p *patient) Result
}

func always(*patient) bool { return true }
func never(*patient) bool  { return false }
func ofScheme(scheme string) func(*patient) bool {
	return func(p *patient) bool { return p.url.Scheme == scheme }
}

var firstChecks = []check{
	{"connect", always, askConnect},
	{"http", ofScheme("http"), askHTTP},
	{"https", ofScheme("https"), askHTTPS},
	{"emulator", never, askEmulator},
	{"api", always, askAPI},
	{"ice-servers", never, askICEServers},
}

// Examine runs every check and hands each result to tell as soon as it is known. An error means that cfg cannot be used, or that
// ctx ended first.
func Examine(ctx context.Context, cfg Config, tell func(Result)) (Report, error) {
	var report Report
	p, err := newPatient(cfg)
	if err != nil {
		return report, err
	}
	defer p.client.CloseIdleConnections()
	defer p.tidy(ctx)
	note := func(r Result) { report.add(r); tell(r) }
	for _, c := range firstChecks {
		limited, cancel := context.WithTimeout(ctx, cfg.Timeout)
		result := c.ask(limited, p)
		cancel()
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		result.Name = c.name
		note(result)
		if result.Verdict == Failed && c.essential(p) {
			note(Result{"media", Skipped, "cannot be tried before " + c.name + " works", ""})
			return report, nil
		}
	}
	found := p.tryMedia(ctx)
	if ctx.Err() != nil {
		return report, context.Cause(ctx)
	}
	results, flows := p.judge(found)
	for _, r := range results {
		note(r)
	}
	report.Healthy = flows
	return report, nil
}

// tidyWait bounds tidy, which is not worth a longer wait.
const tidyWait = time.Second

// tidy closes what is left on the app that was made up, sooner and in fewer words than the emulator would. On the user's own app others
// may be at work.
func (p *patient) tidy(ctx context.Context) {
	if !p.made || !p.zone || p.app.given {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyWait)
	defer cancel()
	var closed any
	_ = p.call(ctx, http.MethodPost, "/_emu/reset", p.app.secret, map[string]string{"app": p.app.id}, &closed) // or it expires
}

func newPatient(cfg Config) (*patient, error) {
	target, err := url.Parse(cfg.URL)
	if err != nil || target.Hostname() == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, fmt.Errorf("--url %s: not an http URL; write it like http://127.0.0.1:1473", cfg.URL)
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, fmt.Errorf("--url %s: %w; write it like http://127.0.0.1:1473", cfg.URL, err)
	}
	if cfg.Timeout <= 0 {
		return nil, fmt.Errorf("--timeout %s: not above zero; write it like 5s", cfg.Timeout)
	}
	p := &patient{
		cfg: cfg, url: target, host: target.Hostname(), port: uint16(number),
		app: accountOf(cfg.AppID, cfg.AppSecret), key: accountOf(cfg.TURNKey, cfg.TURNToken),
	}
	if p.roots, err = Roots(cfg.CA, cfg.CAFile); err != nil {
		return nil, err
	}
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true}}
	return p, nil
}

// Roots are what the system trusts and the CA in PEM, which may be empty.
func Roots(ca []byte, file string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if len(ca) > 0 && !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("--ca-file %s: no certificate in PEM; curl -so FILE URL/_emu/ca.pem gets the CA", file)
	}
	return roots, nil
}

// root is the URL without a path.
func (p *patient) root() string { return p.url.Scheme + "://" + p.url.Host }

// at is HOST:PORT of the URL.
func (p *patient) at() string { return net.JoinHostPort(p.host, fmt.Sprint(p.port)) }

func okay(format string, args ...any) Result {
	return Result{Verdict: OK, Text: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) Result {
	return Result{Verdict: Skipped, Text: fmt.Sprintf(format, args...)}
}

func failed(text, cure string) Result { return Result{Verdict: Failed, Text: text, Cure: cure} }
