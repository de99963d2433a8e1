package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/callsemu/callsemu/scripts/internal/load"
	"github.com/callsemu/callsemu/scripts/internal/proc"
)

// usage is what the process takes.
type usage struct {
	proc.Usage
	files int     // open
	rest  float64 // share of a core over restFor; of atRest alone
}

func (u usage) String() string {
	return fmt.Sprintf("at rest: CPU %.1f%% of a core, %d open files, %.1f MB", 100*u.rest, u.files, float64(u.Resident)/1e6)
}

// usage reads /proc.
func (t *target) usage() (usage, error) {
	used, err := proc.Of(t.PID)
	if err != nil {
		return usage{}, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", t.PID))
	return usage{Usage: used, files: len(files)}, err
}

// state is what /_emu/state says of TURN.
type state struct {
	TURN struct {
		Allocations []any             `json:"allocations"`
		Connections int               `json:"connections"`
		Refused     map[string]uint64 `json:"refused"`
	} `json:"turn"`
}

func (t *target) state(ctx context.Context) (state, error) {
	var s state
	return s, t.call(ctx, http.MethodGet, "/_emu/state", "", &s)
}

// atRest waits until no allocation and no connection is left, and the process takes next to no CPU time.
func (t *target) atRest(ctx context.Context) (usage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s, err := t.state(ctx)
		if err != nil {
			return usage{}, err
		}
		http.DefaultClient.CloseIdleConnections()
		var last usage
		if len(s.TURN.Allocations) == 0 && s.TURN.Connections == 0 {
			if last, err = t.observe(ctx); err != nil {
				return usage{}, err
			}
			if last.rest < restCPU {
				return last, nil
			}
		}
		if err := load.Pause(ctx, 100*time.Millisecond); err != nil {
			return usage{}, errors.Join(fmt.Errorf("%d allocations and %d connections are left, %s",
				len(s.TURN.Allocations), s.TURN.Connections, last), err)
		}
	}
}

// observe measures over restFor.
func (t *target) observe(ctx context.Context) (usage, error) {
	before, err := t.usage()
	if err != nil {
		return usage{}, err
	}
	if err := load.Pause(ctx, restFor); err != nil {
		return usage{}, err
	}
	after, err := t.usage()
	after.rest = (after.CPU - before.CPU).Seconds() / restFor.Seconds()
	return after, err
}
