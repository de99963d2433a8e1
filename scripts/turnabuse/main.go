package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	patience = 30 * time.Second // for a stage to leave nothing
	restFor  = 2 * time.Second  // over which rest is measured
	restCPU  = 0.05             // of one core, at most
)

// options are the flags.
type options struct {
	url         string
	pid         int
	malformed   int
	rate        int
	length      time.Duration
	allocations int
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("turnabuse", flag.ContinueOnError)
	flags.StringVar(&o.url, "url", "", "base URL of callsemu, on a loopback address; its rule turn-lifetime must be short")
	flags.IntVar(&o.pid, "pid", 0, "its process")
	flags.IntVar(&o.malformed, "malformed", 2000, "malformed streams, and ten times as many datagrams, up to 20000")
	flags.IntVar(&o.rate, "rate", 1000, "wrong credentials a second, up to 5000")
	flags.DurationVar(&o.length, "secs", 10*time.Second, "for so long, up to 1m")
	flags.IntVar(&o.allocations, "allocations", 200, "allocations at one time, up to 400")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	at, err := url.Parse(o.url)
	if err != nil {
		return o, err
	}
	ip := net.ParseIP(at.Hostname())
	switch {
	case ip == nil || !ip.IsLoopback():
		return o, fmt.Errorf("-url %q is not on a loopback address", o.url)
	case o.pid <= 0:
		return o, errors.New("-pid is missing")
	case o.malformed < 1 || o.malformed > 20000 || o.rate < 1 || o.rate > 5000 || o.allocations < 1 || o.allocations > 400 ||
		o.length < time.Second || o.length > time.Minute:
		return o, errors.New("a number is out of its bounds; -help lists them")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "turnabuse:", err)
		os.Exit(1)
	}
}

// stage is one kind of abuse; it returns what it counted.
type stage struct {
	name string
	do   func(context.Context, target) (string, error)
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	t := target{options: o}
	if err := t.learn(ctx); err != nil {
		return err
	}
	begun, err := t.atRest(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%-20s %s\n", "before", begun)
	for _, s := range []stage{
		{"malformed", malformed}, {"wrong credentials", wrongCredentials}, {"allocations", allocations}, {"malformed again", malformed},
	} {
		before, err := t.usage()
		if err != nil {
			return err
		}
		from := time.Now()
		counted, err := s.do(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		after, err := t.usage()
		if err != nil {
			return err
		}
		took := time.Since(from)
		rest, err := t.atRest(ctx)
		if err != nil {
			return fmt.Errorf("after %s: %w", s.name, err)
		}
		fmt.Printf("%-20s %s in %.1fs, CPU %.0f%% of a core; then %s\n", s.name, counted, took.Seconds(),
			100*(after.cpu-before.cpu).Seconds()/took.Seconds(), rest)
		if rest.files != begun.files {
			return fmt.Errorf("after %s: %d open files, %d before", s.name, rest.files, begun.files)
		}
	}
	return nil
}

// target is the callsemu under test.
type target struct {
	options
	udp, tls string // IP:PORT; TCP is where UDP is
}

// server is what generate-ice-servers says.
type server struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

func (t *target) issue(ctx context.Context) (server, error) {
	var out struct {
		ICEServers []server `json:"iceServers"`
	}
	err := t.call(ctx, http.MethodPost, "/v1/turn/keys/abuse/credentials/generate-ice-servers", `{"ttl":600}`, &out)
	if err == nil && len(out.ICEServers) != 2 {
		err = errors.New("no TURN server is listed")
	}
	if err != nil {
		return server{}, err
	}
	return out.ICEServers[1], nil
}

// learn finds the TURN server.
func (t *target) learn(ctx context.Context) error {
	s, err := t.issue(ctx)
	if err != nil {
		return err
	}
	for _, url := range s.URLs {
		scheme, rest, _ := strings.Cut(url, ":")
		at, transport, _ := strings.Cut(rest, "?transport=")
		switch scheme + " " + transport {
		case "turn udp":
			t.udp = at
		case "turns tcp":
			t.tls = at
		}
	}
	if t.udp == "" || t.tls == "" {
		return fmt.Errorf("not both UDP and TLS in %q", s.URLs)
	}
	return nil
}

func (t *target) call(ctx context.Context, method, path, body string, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, t.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer any-token")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: status %d", path, response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(out)
}
