// Command callsemu runs the emulator and looks after one that runs.
//
// main.go parses and turns errors into one line and an exit status, in the words of complain.go (with nearest.go); settings.go is the one
// table of settings, and variables.go finds what is meant for it and is not in it; serve.go (with message.go and ports.go), probe.go, trust.go, conformance.go (with progress.go, golden.go and drift.go) and version.go are the sub-commands. Ownership: main owns the signal
// handler and, through serve, one emulator.Emulator, which it closes at the first signal; conformance owns those that it starts. The
// second signal has its default effect and ends the process.
//
// It has no logic of the API and none of the media.
package main
