package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// mostTime bounds the run of one command.
const mostTime = 5 * time.Minute

func main() {
	only := flag.String("run", "", "do only the breakages whose words this regular expression matches somewhere")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err == nil {
		err = run(pattern)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "breakages:", err)
		os.Exit(1)
	}
}

// run tries the breakages that the pattern chooses, in the tree whose root is the working directory.
func run(pattern *regexp.Regexp) (err error) {
	var chosen []breakage
	var ids []string
	for _, b := range breakages {
		if pattern.MatchString(b.what) {
			chosen = append(chosen, b)
			ids = append(ids, regexp.QuoteMeta(b.noticed))
		}
	}
	if len(chosen) == 0 {
		return errors.New("no breakage is called so")
	}
	work, err := os.MkdirTemp("", "breakages")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	whole, err := build(work, nil)
	if err != nil {
		return err
	}
	cases, err := runCases(work, whole, ids...)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.Status != "passed" {
			return fmt.Errorf("as it is, %s %s: %s", c.ID, c.Status, strings.Join(c.Failures, "\n"))
		}
	}
	unnoticed := 0
	for _, b := range chosen {
		said, err := try(work, b)
		if err != nil {
			return fmt.Errorf("%s: %w", b.what, err)
		}
		if said == "" {
			unnoticed++
			said = "NOT NOTICED by " + b.noticed
		}
		fmt.Printf("%s: %s\n", b.what, said)
	}
	fmt.Printf("%d noticed, %d not\n", len(chosen)-unnoticed, unnoticed)
	if unnoticed > 0 {
		return errors.New("a case that cannot fail proves nothing")
	}
	return nil
}

// try builds one broken emulator and returns what its case said, "" where that passed.
func try(work string, b breakage) (said string, err error) {
	broken, err := build(work, &b)
	if err != nil {
		return "", err
	}
	cases, err := runCases(work, broken, regexp.QuoteMeta(b.noticed))
	if err != nil {
		return "", err
	}
	for _, c := range cases {
		if c.Status == "failed" && len(c.Failures) > 0 {
			first, _, _ := strings.Cut(c.Failures[0], "\n")
			return fmt.Sprintf("%s (contract %s) %q: %s", c.ID, c.Section, c.Sentence, shortened(first)), nil
		}
	}
	return "", nil
}

func shortened(line string) string {
	const most = 200
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return line
}

// build compiles callsemu, with a breakage where one is given, and returns the path of the binary.
func build(work string, b *breakage) (binary string, err error) {
	binary = filepath.Join(work, "callsemu")
	args := []string{"build", "-o", binary}
	if b != nil {
		overlay, err := b.overlay(work)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	output, err := command("go", append(args, "./cmd/callsemu")...)
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, output)
	}
	return binary, nil
}

// overlay writes the broken file and what tells the compiler of it.
func (b breakage) overlay(work string) (path string, err error) {
	text, err := os.ReadFile(b.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), b.old); n != 1 {
		return "", fmt.Errorf("%s has what is to be replaced %d times, not once; mend table.go", b.file, n)
	}
	broken := filepath.Join(work, filepath.Base(b.file))
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), b.old, b.new, 1)), 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(b.file)
	if err != nil {
		return "", err
	}
	encoded, err := json.Marshal(map[string]map[string]string{"Replace": {original: broken}})
	if err != nil {
		return "", err
	}
	path = filepath.Join(work, "overlay.json")
	return path, os.WriteFile(path, encoded, 0o600)
}

// outcome is one case of the suite's JSON report.
type outcome struct {
	ID       string   `json:"id"`
	Sentence string   `json:"sentence"`
	Section  string   `json:"section"`
	Status   string   `json:"status"`
	Failures []string `json:"failures"`
}

// runCases runs the cases whose ids these regular expressions are against an emulator that the binary starts for itself.
func runCases(work, binary string, ids ...string) ([]outcome, error) {
	report := filepath.Join(work, "report.json")
	if err := os.RemoveAll(report); err != nil {
		return nil, err
	}
	output, failed := command(binary, "conformance", "--run", "^("+strings.Join(ids, "|")+")$", "--report", report)
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, fmt.Errorf("no report: %w, %w: %s", failed, err, output)
	}
	var read struct {
		Cases []outcome `json:"cases"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	if len(read.Cases) == 0 {
		return nil, fmt.Errorf("no case is called %s", strings.Join(ids, " or "))
	}
	return read.Cases, nil
}

// command runs a program to its end and returns what it wrote.
func command(name string, args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), mostTime)
	defer cancel()
	var both bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = &both, &both
	err = c.Run()
	return both.String(), err
}
