package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/golden"
)

// conformanceCommands tests a target, or says from such a test what the emulator must change.
type conformanceCommands struct {
	Test  testCommand  `cmd:"" default:"withargs" help:"Run the cases; the same as no sub-command."`
	Drift driftCommand `cmd:"" help:"What the emulator must change to be like a recorded target."`
}

// testCommand runs the cases, and may write what the target did or compare it.
type testCommand struct {
	conformanceCommand
	Record  string `placeholder:"FILE" help:"Write what the target did: statuses, bodies, SDP and observations, without what is of this run alone. JSON, for --compare and drift."`
	Compare string `placeholder:"FILE" help:"Show where the target differs from what --record wrote, case by case. The exit status is 1 if it does, if a case was not finished there or here, or if nothing was compared, whatever passed or failed."`
}

// Run is the default command.
func (c *testCommand) Run(ctx context.Context, out streams) error {
	record, err := readRecord("--compare", c.Compare)
	if err != nil {
		return err
	}
	if c.Record != "" {
		if err := output(c.Record).check(); err != nil {
			return fmt.Errorf("--record %w", err)
		}
	}
	result, err := c.run(ctx, out)
	if err != nil {
		return err
	}
	transcript := golden.Of(result)
	transcript.Pattern = c.Only
	if c.Record != "" {
		if err := writeRecord(out, c.Record, transcript); err != nil {
			return fmt.Errorf("--record %w", err)
		}
	}
	if c.Compare == "" {
		return summary(out, result)
	}
	comparison := golden.Compare(record, transcript, c.chosen())
	_, _ = fmt.Fprintf(out.stdout, "compared with %s:\n\n", c.Compare)
	if err := comparison.Words(out.stdout); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out.stdout)
	if err := summary(out, result); err != nil && !errors.Is(err, errNotPassed) {
		return err
	}
	return verdict(out, comparison)
}

// verdict is errNotPassed unless all was compared that was to be, and nothing differs. It says on stderr what nobody would see in
// an output without differences.
func verdict(out streams, c golden.Comparison) error {
	switch {
	case c.Unfinished > 0:
		_, _ = fmt.Fprintf(out.stderr, "%s not finished, in the record or at the target, so that nobody knows what differs there\n",
			conformance.Counted(c.Unfinished, "case"))
	case c.Compared == 0:
		_, _ = fmt.Fprintln(out.stderr, "nothing was compared")
	}
	if len(c.Differences) > 0 || c.Unfinished > 0 || c.Compared == 0 {
		return errNotPassed
	}
	return nil
}

// chosen says which cases of a record the pattern of --run leaves.
func (c *conformanceCommand) chosen() func(id string) bool {
	pattern, err := regexp.Compile(c.Only)
	if err != nil {
		return nil // not so: the suite has refused it
	}
	return pattern.MatchString
}

// writeRecord writes a transcript, but not that of a run which was cut off in the place of a complete one.
func writeRecord(out streams, name string, t golden.Transcript) error {
	if !t.Complete() {
		if old, err := readRecord("--record", name); err == nil && old.Complete() {
			_, _ = fmt.Fprintf(out.stderr, "record: %s stays as it was: it is complete, and this run was cut off\n", name)
			return nil
		}
	}
	if err := output(name).write(t.Write); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out.stderr, "record: "+name)
	return nil
}

// cannotRead is an error about a file without Go's word for what was tried: a flag that stands before "open" seems to take a file of that name.
func cannotRead(name string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s: cannot be read: %w", name, err)
}

// readRecord reads a transcript; without a name there is none.
func readRecord(flag, name string) (golden.Transcript, error) {
	if name == "" {
		return golden.Transcript{}, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return golden.Transcript{}, fmt.Errorf("%s %w; callsemu conformance --record %s writes one", flag, cannotRead(name, err), name)
	}
	defer func() { _ = file.Close() }() // it was read
	t, err := golden.Read(file)
	if err != nil {
		return t, fmt.Errorf("%s %s: %w", flag, name, err)
	}
	return t, nil
}
