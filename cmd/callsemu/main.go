package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
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
		durations, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{stdout, stderr}))
	if err != nil {
		panic("callsemu: the table of settings: " + err.Error())
	}
	command, err := parser.Parse(accustomed(args))
	if err != nil {
		return fail(stderr, usage(err))
	}
	switch err := command.Run(strangers(os.Environ(), parser.Model.Node)); {
	case errors.Is(err, errNotPassed), errors.Is(err, errUnhealthy): // and the summary has said why
		return 1
	case err != nil:
		return fail(stderr, oneLine(command, err))
	}
	return 0
}

// accustomed turns what other programs understand into what kong does.
func accustomed(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}

// fail writes what is wrong as one line and returns the exit status.
func fail(stderr io.Writer, text string) int {
	_, _ = fmt.Fprintln(stderr, "callsemu: "+strings.ReplaceAll(text, "\n", " "))
	return 1
}
