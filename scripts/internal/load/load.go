package load

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main runs a program until it is done or a signal ends its context. An error is printed, and the status is 1.
func Main(name string, run func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Target is the callsemu that bears the load, and for how long.
type Target struct {
	URL    string
	PID    int           // 0 for not given
	Length time.Duration // from a second to longest

	longest time.Duration
}

// Flags makes the flags of a program, with -url, -pid and -secs among them. usual is the default of -secs.
func (t *Target) Flags(name string, usual, longest time.Duration) *flag.FlagSet {
	t.longest = longest
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&t.URL, "url", "", "base URL of callsemu, on a loopback address")
	flags.IntVar(&t.PID, "pid", 0, "process whose CPU time and memory are measured")
	flags.DurationVar(&t.Length, "secs", usual, fmt.Sprintf("length of the load, up to %s", longest))
	return flags
}

// Parse reads the arguments into flags that Flags made. A URL that leads to another machine is an error, as is a length that is out
// of its bounds.
func (t *Target) Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	at, err := url.Parse(t.URL)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(at.Hostname()); at.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-url %q is not on a loopback address", t.URL)
	}
	if t.Length < time.Second || t.Length > t.longest {
		return fmt.Errorf("-secs is %s; it lies within 1s and %s", t.Length, t.longest)
	}
	return nil
}

// Pause waits for d, or for the end of the context, which is an error.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
