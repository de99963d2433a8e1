// Command callsemu runs the emulator and looks after one that runs.
//
// main.go parses and turns errors into one line and an exit status; settings.go is the one table of settings; serve.go,
// probe.go, trust.go, conformance.go (with progress.go, golden.go and drift.go) and version.go are the sub-commands. Ownership: main owns the signal
// handler and, through serve, one emulator.Emulator, which it closes at the first signal; conformance owns those that it starts. The
// second signal has its default effect and ends the process.
//
// It has no logic of the API and none of the media.
package main
