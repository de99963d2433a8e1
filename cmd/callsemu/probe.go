package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// pollPause lies between two looks of wait.
const pollPause = 50 * time.Millisecond

type waitCommand struct {
	trustedCA
	URL     string        `name:"url" default:"http://127.0.0.1:1473" env:"CALLSEMU_URL" help:"The emulator, with or without /v1."`
	Timeout time.Duration `default:"30s" help:"When to give up, with status 1."`
}

// Run polls /readyz until it answers 200.
func (w *waitCommand) Run(ctx context.Context) error {
	target, err := url.Parse(w.URL)
	if err != nil || target.Hostname() == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return fmt.Errorf("--url %s: not an http URL; write it like http://127.0.0.1:1473", w.URL)
	}
	if w.Timeout <= 0 {
		return fmt.Errorf("--timeout %s: not above zero; write it like 30s", w.Timeout)
	}
	readyz := target.Scheme + "://" + target.Host + "/readyz"
	limited, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	var cause error
	for {
		roots, err := w.roots() // each time: an emulator that begins may be about to make its CA
		if err != nil {
			return err
		}
		err = probe(limited, readyz, roots)
		if err == nil {
			return nil
		}
		if cause == nil || limited.Err() == nil { // that the time is over is not why
			cause = err
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("--url %s: stopped before it was ready", w.URL)
			}
			return fmt.Errorf("--url %s: not ready within %s: %w", w.URL, w.Timeout, explained(cause))
		}
	}
}

type healthcheckCommand struct {
	Listen string `default:"127.0.0.1:1473" env:"CALLSEMU_LISTEN" help:"What serve listens on; a wildcard is asked on loopback. It is asked over HTTP, which is always spoken there."`
}

// Run asks /readyz once.
func (h *healthcheckCommand) Run(ctx context.Context) error {
	target, err := healthURL(h.Listen)
	if err != nil {
		return err
	}
	if err := probe(ctx, target, nil); err != nil {
		return fmt.Errorf("not healthy: %w", explained(err))
	}
	return nil
}

// healthURL derives where to ask from what serve listens on.
func healthURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf("--listen %s: no IP:PORT to ask; give the one that serve printed", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}

// statusError is an answer that is not 200.
type statusError int

func (s statusError) Error() string {
	return fmt.Sprintf("/readyz answers %d %s", int(s), http.StatusText(int(s)))
}

// probe asks once, without proxies: the target is this machine's or this network's. Nil roots are the system's.
func probe(ctx context.Context, target string, roots *x509.CertPool) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	return nil
}

// cures say what to do about an error of probe; the first row that fits counts.
var cures = []struct {
	fits func(error) bool
	cure string
}{
	{is(statusError(http.StatusServiceUnavailable)), "callsemu runs, and its log says what it waits for"},
	{as[statusError], "another program has the port; give the URL that the start message of callsemu shows"},
	{is(syscall.ECONNREFUSED), "nothing listens there; start it with callsemu serve"},
	{as[*net.DNSError], "give a name or an address that leads to callsemu from here"},
	{as[x509.HostnameError], "start callsemu with --tls-name and that name, or take one that the certificate is for"},
	{as[*tls.CertificateVerificationError], "give its CA with --ca-file FILE, which curl -kso FILE URL/_emu/ca.pem gets, or the directory of its CA with --state-dir"},
	{is(http.ErrSchemeMismatch), "no TLS is spoken there; write the URL with http://"},
	{is(context.DeadlineExceeded), "look at what is between, such as a firewall or a port that is not published"},
	{hangsUp, "another program has the port, or it is one of --https and the URL begins with https://"},
}

// hangsUp says that the connection ended without an answer, in one of the ways that net/http has for it.
func hangsUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "server closed idle connection")
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

// explained is an error of probe with what to do about it, and without the URL, which is the caller's.
func explained(err error) error {
	cure := "callsemu doctor tells more"
	for _, row := range cures {
		if row.fits(err) {
			cure = row.cure
			break
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer came; %s", cure)
	}
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err
	}
	return fmt.Errorf("%w; %s", err, cure)
}
