package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/callsemu/callsemu/emulator"
)

// whoTimeout bounds the question who has the port: the start has failed already, and nobody waits for that.
const whoTimeout = time.Second

// portsTaken says in one error which ports are taken, by whom as far as that can be seen, and what to type instead. Any other error is
// returned as it is.
func portsTaken(ctx context.Context, err error) error {
	all := taken(err)
	if len(all) == 0 {
		return err
	}
	first := *all[0]
	var others, flags []string
	stun := ""
	for i, e := range all {
		flag := "--" + e.Setting + " "
		if i > 0 {
			others = append(others, flag+e.Value)
		}
		if e.Setting == "stun" || e.Setting == "turn-tls" {
			stun = "; --stun off does without STUN and TURN"
		}
		if addr, err := netip.ParseAddrPort(e.Value); err == nil {
			flags = append(flags, flag+netip.AddrPortFrom(addr.Addr(), 0).String())
		}
	}
	ours := first.Setting == "listen" && isCallsemu(ctx, first.Value)
	switch {
	case ours:
		first.Problem, first.Cure = "callsemu runs there already", "use that one"
	case len(others) == 0:
		return err
	default:
		first.Cure = "stop what runs there"
	}
	if len(others) > 0 {
		first.Problem += "; in use as well: " + strings.Join(others, ", ")
	}
	first.Cure += ", or take free ports with " + strings.Join(flags, " ") + stun
	return &first
}

// taken are the ports that the emulator has found taken.
func taken(err error) (list []*emulator.ConfigError) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return nil
	}
	for _, e := range joined.Unwrap() {
		var one *emulator.ConfigError
		if errors.As(e, &one) && errors.Is(one.Cause, syscall.EADDRINUSE) {
			list = append(list, one)
		}
	}
	return list
}

// isCallsemu says whether an emulator answers there.
func isCallsemu(ctx context.Context, listen string) bool {
	target, err := healthURL(listen)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, whoTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine's
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	var ready emulator.Readiness
	return json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<16)).Decode(&ready) == nil && ready.Candidates != nil
}
