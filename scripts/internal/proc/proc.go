package proc

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Usage is what a process has used, as Linux counts it.
type Usage struct {
	CPU      time.Duration
	Resident int64 // bytes
}

// Of reads /proc; process 0 is none.
func Of(pid int) (Usage, error) {
	if pid == 0 {
		return Usage{}, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before it may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var user, system, pages int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12]+" "+fields[21], &user, &system, &pages); err != nil {
		return Usage{}, err
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	return Usage{time.Duration(user+system) * tick, pages * int64(os.Getpagesize())}, nil
}
