package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/callsemu/callsemu/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from the first signal on, the next one ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// exit carries kong's own wish to end, after --help, out of the parser.
type exit int

// run is main with everything from outside as arguments; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int) {
	defer func() {
		if code, wished := recover().(exit); wished {
			status = int(code)
		}
	}()
	forgetEmptyVariables()
	parser, err := kong.New(&commandLine{}, kong.Name("callsemu"), kong.Description(description()),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.Help(help), kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{stdout, stderr}))
	if err != nil {
		panic("callsemu: the table of settings: " + err.Error())
	}
	command, err := parser.Parse(args)
	if err != nil {
		return fail(stderr, advised(err))
	}
	switch err := command.Run(); {
	case errors.Is(err, errNotPassed), errors.Is(err, errUnhealthy): // and the summary has said why
		return 1
	case err != nil:
		return fail(stderr, err)
	}
	return 0
}

// advised is an error of the parser with what to do about it. Before a sub-command kong takes settings for those of the default one.
func advised(err error) error {
	if settings, rest, found := strings.Cut(err.Error(), " applies to the default command "); found {
		if _, command, found := strings.Cut(rest, ", not "); found {
			command = strings.Trim(command, `"`)
			return fmt.Errorf("%s stands before %s, and settings come behind it; write it like callsemu conformance %s --run PATTERN --from FILE", settings, command, command)
		}
	}
	return fmt.Errorf("%w; callsemu --help lists the settings", err)
}

// fail writes an error as one line and returns the exit status.
func fail(stderr io.Writer, err error) int {
	text := err.Error()
	var wrong *emulator.ConfigError
	if errors.As(err, &wrong) {
		text = "--" + wrong.Error()
	}
	_, _ = fmt.Fprintln(stderr, "callsemu: "+strings.ReplaceAll(text, "\n", " "))
	return 1
}
