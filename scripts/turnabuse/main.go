package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callsemu/callsemu/scripts/internal/load"
)

const (
	patience = 30 * time.Second // for a stage to leave nothing
	restFor  = 2 * time.Second  // over which rest is measured
	restCPU  = 0.05             // of one core, at most
)

// options are the flags.
type options struct {
	load.Target
	malformed   int
	rate        int
	allocations int
}

func parse(args []string) (options, error) {
	var o options
	flags := o.Flags("turnabuse", 10*time.Second, time.Minute)
	flags.IntVar(&o.malformed, "malformed", 2000, "malformed streams, and ten times as many datagrams, up to 20000")
	flags.IntVar(&o.rate, "rate", 1000, "wrong credentials a second, up to 5000")
	flags.IntVar(&o.allocations, "allocations", 200, "allocations at one time, up to 400")
	if err := o.Parse(flags, args); err != nil {
		return o, err
	}
	switch {
	case o.PID <= 0:
		return o, errors.New("-pid is missing")
	case o.malformed < 1 || o.malformed > 20000 || o.rate < 1 || o.rate > 5000 || o.allocations < 1 || o.allocations > 400:
		return o, errors.New("a number is out of its bounds; -help lists them")
	}
	return o, nil
}

func main() { load.Main("turnabuse", run) }

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
			100*(after.CPU-before.CPU).Seconds()/took.Seconds(), rest)
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
	request, err := http.NewRequestWithContext(ctx, method, t.URL+path, bytes.NewReader([]byte(body)))
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
