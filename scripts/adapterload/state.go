package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ingestPackets is how many packets each ingest adapter's track has sent so far, by its session.
func ingestPackets(ctx context.Context, base string) (map[string]uint64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/_emu/state?app="+app, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var state struct {
		Apps []struct {
			Sessions []struct {
				SessionID, AdapterID string
				Tracks               []struct{ Packets uint64 }
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		return nil, err
	}
	packets := map[string]uint64{}
	for _, a := range state.Apps {
		for _, s := range a.Sessions {
			if s.AdapterID != "" && len(s.Tracks) == 1 {
				packets[s.SessionID] = s.Tracks[0].Packets
			}
		}
	}
	return packets, nil
}

func reportIngest(before, after map[string]uint64, took time.Duration) {
	if len(after) == 0 {
		return
	}
	var rates []float64
	for id, n := range after {
		rates = append(rates, float64(n-before[id])/took.Seconds())
	}
	fmt.Printf("ingest: %d adapters play, %.2f to %.2f packets a second (real time is 50)\n", len(slices.Collect(maps.Keys(after))),
		slices.Min(rates), slices.Max(rates))
}
