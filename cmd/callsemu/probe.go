package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// pollPause lies between two looks of wait.
const pollPause = 50 * time.Millisecond

type waitCommand struct {
	URL     string        `name:"url" default:"http://127.0.0.1:1473" env:"CALLSEMU_URL" help:"The emulator, with or without /v1."`
	Timeout time.Duration `default:"30s" env:"CALLSEMU_TIMEOUT" help:"When to give up, with status 1."`
}

// Run polls /readyz until it answers 200.
func (w *waitCommand) Run(ctx context.Context) error {
	target, err := url.Parse(w.URL)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return fmt.Errorf("--url %s: not an http URL; write it like http://127.0.0.1:1473", w.URL)
	}
	if w.Timeout <= 0 {
		return fmt.Errorf("--timeout %s: not above zero; write it like 30s", w.Timeout)
	}
	readyz := target.Scheme + "://" + target.Host + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		err := probe(ctx, readyz)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("--url %s: not ready within %s: %w; start it with callsemu serve", w.URL, w.Timeout, err)
		}
	}
}

type healthcheckCommand struct {
	Listen string `default:"127.0.0.1:1473" env:"CALLSEMU_LISTEN" help:"What serve listens on; a wildcard is asked on loopback."`
}

// Run asks /readyz once.
func (h *healthcheckCommand) Run(ctx context.Context) error {
	target, err := healthURL(h.Listen)
	if err != nil {
		return err
	}
	if err := probe(ctx, target); err != nil {
		return fmt.Errorf("not healthy: %w", err)
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

// probe asks once, without proxies: the target is this machine's or this network's.
func probe(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", target, resp.Status)
	}
	return nil
}
