package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

type versionCommand struct{}

// Run prints one line, for example "callsemu v0.1.0 (1a2b3c4d5e6f, go1.26.0)".
func (versionCommand) Run(out streams) error {
	_, err := fmt.Fprintln(out.stdout, "callsemu "+version())
	return err
}

// version is what the build recorded: the module's version, the commit and the Go release.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	return describe(info)
}

func describe(info *debug.BuildInfo) string {
	name := info.Main.Version
	if name == "" {
		name = "(devel)"
	}
	var details []string
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			details = append(details, s.Value[:min(12, len(s.Value))])
		}
	}
	return name + " (" + strings.Join(append(details, info.GoVersion), ", ") + ")"
}
