package main

import (
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// prefix is what the names of all variables of callsemu's begin with.
const prefix = "CALLSEMU_"

// forgetEmptyVariables makes a variable that is set to nothing, as compose files do, count as not set.
func forgetEmptyVariables() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) && value == "" {
			_ = os.Unsetenv(name)
		}
	}
}

// foreign matches variables that are somebody else's business: docker-compose.yml and the tests of this project read the first ones, and
// Kubernetes and Docker's links set the second ones where a service is called callsemu.
var foreign = regexp.MustCompile(`^CALLSEMU_(PUBLISH=|BIN=|NAME=/|PORT=(tcp|udp)://|(SERVICE_|PORT_|ENV_))`)

// stranger is a variable that callsemu does not know.
type stranger struct {
	name, nearest string // nearest is empty where no name is like it
}

// strangers are those of an environment.
func strangers(environ []string, root *kong.Node) (list []stranger) {
	known := variables(root)
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || foreign.MatchString(pair) {
			continue
		}
		list = append(list, stranger{name, nearest(name, known)})
	}
	return list
}

// variables are the names of all that the sub-commands read.
func variables(root *kong.Node) (names []string) {
	for _, flag := range root.Flags {
		for _, name := range flag.Envs {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	for _, child := range root.Children {
		names = append(names, variables(child)...)
	}
	return names
}

// warn logs one line for each.
func warn(log *slog.Logger, list []stranger) {
	for _, s := range list {
		attrs := []any{"variable", s.name}
		if s.nearest != "" {
			attrs = append(attrs, "did_you_mean", s.nearest)
		}
		log.Warn("callsemu knows no such environment variable; callsemu --help names them", attrs...)
	}
}
