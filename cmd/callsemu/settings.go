package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
)

// commandLine is the whole command line.
type commandLine struct {
	Serve       serveCommand        `cmd:"" default:"withargs" help:"Run the emulator; the same as no sub-command."`
	Wait        waitCommand         `cmd:"" help:"Wait until an emulator is ready for media."`
	Doctor      doctorCommand       `cmd:"" help:"Connect as a client would, over each transport, and say what works, what does not and what to change."`
	CA          caCommand           `cmd:"" name:"ca" help:"Print the CA that clients trust for HTTPS; make it if there is none."`
	Conformance conformanceCommands `cmd:"" help:"Test a target against the contract: an emulator, or the real service with your credentials."`
	Env         envCommand          `cmd:"" help:"Print what Node, Go, Python, Java, curl, Chromium and workerd need for HTTPS."`
	Healthcheck healthcheckCommand  `cmd:"" help:"Status 0 if the emulator in this container is ready, for HEALTHCHECK."`
	Version     versionCommand      `cmd:"" help:"Print the version."`
}

// settings is the one table of what can be set. Every row is a flag and an environment variable.
type settings struct {
	Listen     string   `default:"127.0.0.1:1473" env:"CALLSEMU_LISTEN" help:"IP:PORT of the API over HTTP, and of ICE over TCP. 127.0.0.1 covers [::1] too; 0.0.0.0 takes every address. Port 0 picks a free one."`
	HTTPS      []string `name:"https" env:"CALLSEMU_HTTPS" placeholder:"IP:PORT" help:"More listeners for HTTPS, such as 0.0.0.0:443, with TURN inside TLS and over UDP on the same port. HTTPS is served at --listen in any case. Repeatable."`
	HTTP       []string `name:"http" env:"CALLSEMU_HTTP" placeholder:"IP:PORT" help:"More listeners for HTTP, such as 0.0.0.0:80, with TURN over TCP on the same port. Repeatable."`
	Media      []string `default:"auto" env:"CALLSEMU_MEDIA" placeholder:"IP[:PORT]" help:"Where ICE over UDP listens, on the API's port number unless another one is given. Without it, or with auto alone, loopback and this machine's own addresses; 127.0.0.1 keeps media on this machine (Firefox will not connect to it)."`
	Advertise  []string `env:"CALLSEMU_ADVERTISE" placeholder:"IP[:PORT]" help:"Offer these addresses to clients instead of the own ones; for NAT and published container ports. Up to 3."`
	STUN       string   `name:"stun" default:"127.0.0.1:3478" env:"CALLSEMU_STUN" help:"IP:PORT of the STUN and TURN server over UDP and TCP; off leaves it out."`
	TURNTLS    string   `name:"turn-tls" env:"CALLSEMU_TURN_TLS" placeholder:"IP:PORT" help:"TURN over TLS: without it, port 5349 of the address of --stun, or a free port where --stun has port 0; off leaves it out, as --stun off does."`
	TURNHost   string   `name:"turn-host" env:"CALLSEMU_TURN_HOST" placeholder:"NAME" help:"The host in the URLs of generate-ice-servers: the name or address by which clients reach --stun. The certificate of TURN over TLS covers it. Without it, turn.cloudflare.com for who asks rtc.live.cloudflare.com, otherwise the address of --stun."`
	TURNKey    []string `name:"turn-key" sep:"none" env:"CALLSEMU_TURN_KEY" placeholder:"ID:TOKEN" help:"A TURN key whose API token is checked in every mode. Repeatable. Without it one is made up and printed."`
	RelayIP    string   `name:"relay-ip" default:"127.0.0.1" env:"CALLSEMU_RELAY_IP" help:"The IPv4 address that TURN relays from. 127.0.0.1 reaches the SFU; another one, or 0.0.0.0 for all, reaches peers on other machines."`
	RelayPorts string   `name:"relay-ports" env:"CALLSEMU_RELAY_PORTS" placeholder:"FIRST-LAST" help:"UDP ports of TURN relays; without it, any. Only peers of TURN need reach them."`
	Mode       string   `default:"dev" enum:"dev,real,strict" env:"CALLSEMU_MODE" help:"dev helps: any app id with any bearer token, no rate limit, more candidates, explanations; real does as the service does; strict also refuses what Cloudflare advises against. The README has the whole table."`
	Contract   string   `env:"CALLSEMU_CONTRACT" placeholder:"YYYY-MM-DD" help:"Behave as the service did on that day; without it, the newest."`
	App        []string `sep:"none" env:"CALLSEMU_APP" placeholder:"ID:SECRET" help:"An app whose secret is checked in every mode. Repeatable; a comma ends a secret where another ID: follows. Without it one is made up and printed."`
	Account    []string `sep:"none" env:"CALLSEMU_ACCOUNT" placeholder:"ID:TOKEN" help:"An account whose apps and TURN keys can be managed at /client/v4/accounts/ID/calls/ with this API token. Repeatable. Without it one is made up and printed."`
	Set        []string `env:"CALLSEMU_SET" placeholder:"NAME=VALUE" help:"Change a limit or timeout of the API. Repeatable; the names are below."`
	Emu        string   `default:"on" enum:"on,off" env:"CALLSEMU_EMU" help:"on or off: the /_emu/ zone, which the real service does not have."`
	Host       []string `env:"CALLSEMU_HOST" placeholder:"NAME" help:"A host name under which the /_emu/ zone answers, besides addresses, localhost and names without a dot. Repeatable."`
	TLSName    []string `name:"tls-name" env:"CALLSEMU_TLS_NAME" placeholder:"NAME" help:"A host name or address for which HTTPS has a certificate, besides the machine's and the service's own names. Repeatable. What the CA does not cover takes a new certificate of the CA: copies of the former one are to be replaced, what runs stays trusted."`
	TLSCert    string   `name:"tls-cert" env:"CALLSEMU_TLS_CERT" placeholder:"FILE" help:"A certificate chain in PEM to use for HTTPS, instead of one from a CA of callsemu's."`
	TLSKey     string   `name:"tls-key" env:"CALLSEMU_TLS_KEY" placeholder:"FILE" help:"The key of --tls-cert, in PEM."`
	StateDir   string   `env:"CALLSEMU_STATE_DIR" placeholder:"DIR" help:"Where the CA for HTTPS is kept. Without it, callsemu in the directory for users' configuration (on Linux ~/.config)."`
	LogFormat  string   `default:"text" enum:"text,json" env:"CALLSEMU_LOG_FORMAT" help:"text or json: form of the log on stderr, one line per API call."`
	LogLevel   string   `default:"info" enum:"debug,info,warn,error" env:"CALLSEMU_LOG_LEVEL" help:"debug, info, warn or error. From warn on, only refused calls and troubles are logged."`
}

// config turns the settings into the emulator's. Addresses are checked there.
func (s settings) config(log io.Writer) (emulator.Config, error) {
	cfg := emulator.Config{
		Listen:     s.Listen,
		Media:      s.Media,
		Advertise:  s.Advertise,
		STUN:       s.STUN,
		TURNTLS:    s.TURNTLS,
		TURNHost:   s.TURNHost,
		RelayIP:    s.RelayIP,
		RelayPorts: s.RelayPorts,
		HTTPS:      s.HTTPS,
		HTTP:       s.HTTP,
		TLSNames:   s.TLSName,
		TLSCert:    s.TLSCert,
		TLSKey:     s.TLSKey,
		HideEmu:    s.Emu == "off",
		Hosts:      s.Host,
		Logger:     s.logger(log),
	}
	var err error
	if cfg.StateDir, err = stateDir(s.StateDir); err != nil && s.TLSCert == "" {
		cfg.Logger.Warn("the CA for HTTPS is kept in memory, so it is another one after the next start; --state-dir DIR names a "+
			"directory for it", "error", err)
	}
	if cfg.Mode, err = session.ParseMode(s.Mode); err != nil {
		return cfg, &emulator.ConfigError{Setting: "mode", Value: s.Mode, Problem: err.Error(), Cure: "use one of them", Cause: err}
	}
	if cfg.Contract, err = session.ParseContract(strings.TrimSpace(s.Contract)); err != nil {
		return cfg, &emulator.ConfigError{Setting: "contract", Value: s.Contract, Problem: "not a day",
			Cure: "write it like --contract 2026-09-30", Cause: err}
	}
	if cfg.Apps, err = parseApps(s.App); err != nil {
		return cfg, err
	}
	if cfg.Accounts, err = parseAccounts(s.Account); err != nil {
		return cfg, err
	}
	if cfg.TURNKeys, err = parsePairs("turn-key", "my-key:my-token", s.TURNKey, emulator.ParseTURNKey); err != nil {
		return cfg, err
	}
	cfg.Rules, err = parseRules(s.Set)
	return cfg, err
}

// stateDir is the directory that was given, or the user's own.
func stateDir(given string) (string, error) {
	if given = strings.TrimSpace(given); given != "" {
		return given, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "callsemu"), nil
}

func (s settings) logger(w io.Writer) *slog.Logger {
	var options slog.HandlerOptions
	var level slog.Level
	if level.UnmarshalText([]byte(s.LogLevel)) == nil { // kong let only names of levels pass
		options.Level = level
	}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, &options))
	}
	return slog.New(slog.NewTextHandler(w, &options))
}

// pairBegins is the part of a list that is another pair; any other comma belongs to the secret before it.
var pairBegins = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}:`)

// splitPairs takes lists of ids with secrets apart. An empty value means nothing.
func splitPairs(values []string) []string {
	var list []string
	for _, v := range values {
		for i, part := range strings.Split(v, ",") {
			if i == 0 || pairBegins.MatchString(part) {
				list = append(list, part)
			} else {
				list[len(list)-1] += "," + part
			}
		}
	}
	return list
}

func parseApps(values []string) (map[string]string, error) {
	return parsePairs("app", "my-app:my-secret", values, emulator.ParseApp)
}

func parseAccounts(values []string) (map[string]string, error) {
	return parsePairs("account", "my-account:my-token", values, emulator.ParseAccount)
}

// parsePairs reads ids with secrets. A value that cannot be read may hold a secret, so it is not repeated.
func parsePairs(setting, example string, values []string, parse func(string) (id, secret string, err error)) (map[string]string, error) {
	pairs := make(map[string]string)
	list := splitPairs(values)
	for i, v := range list {
		id, secret, err := parse(v)
		if err != nil {
			which := "(not shown)"
			if len(list) > 1 {
				which = fmt.Sprintf("(number %d of %d)", i+1, len(list))
			}
			return nil, &emulator.ConfigError{Setting: setting, Value: which,
				Problem: err.Error(), Cure: "write it like --" + setting + " " + example}
		}
		if _, seen := pairs[id]; seen {
			return nil, &emulator.ConfigError{Setting: setting, Value: id, Problem: "it is given twice",
				Cure: "keep one of them; a comma before " + id + ": begins another one"}
		}
		pairs[id] = secret
	}
	return pairs, nil
}

func parseRules(values []string) (session.Rules, error) {
	var rules session.Rules
	for _, v := range values {
		name, value, found := strings.Cut(v, "=")
		if !found {
			return rules, &emulator.ConfigError{Setting: "set", Value: v, Problem: "not NAME=VALUE",
				Cure: "write it like --set transport-wait=2s"}
		}
		if err := rules.Set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return rules, &emulator.ConfigError{Setting: "set", Value: v, Problem: err.Error(),
				Cure: "callsemu --help explains the rules", Cause: err}
		}
	}
	return rules, nil
}

// probeTimeout bounds one HTTP request of wait and healthcheck.
const probeTimeout = 3 * time.Second

func description() string {
	return "A local Cloudflare Calls API (Realtime SFU): apps that use it run against callsemu with live audio and video, " +
		"without an account. Without arguments it serves on http://127.0.0.1:1473/v1 and prints an app id and secret to use."
}

// help prints kong's help, and what it cannot know: the rules of --set, the deviations, examples and how settings are given. Without a
// sub-command it adds the settings of serve.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	selected := ctx.Selected()
	switch {
	case selected != nil && selected.Name == "conformance":
		test, err := kong.Trace(ctx.Kong, []string{"conformance", "test"})
		if err != nil {
			return err
		}
		options.NoAppSummary = true
		_, _ = fmt.Fprint(ctx.Stdout, "\ncallsemu conformance test, and callsemu conformance alone: ")
		return kong.DefaultHelpPrinter(options, test)
	case selected != nil && selected.Name != "serve":
		return nil
	}
	if selected == nil {
		serve, err := kong.Trace(ctx.Kong, []string{"serve"})
		if err != nil {
			return err
		}
		options.NoAppSummary = true
		_, _ = fmt.Fprint(ctx.Stdout, "\ncallsemu serve, and callsemu alone: ")
		if err := kong.DefaultHelpPrinter(options, serve); err != nil {
			return err
		}
	}
	w := ctx.Stdout
	_, _ = io.WriteString(w, tables())
	_, _ = fmt.Fprint(w, `
Every setting is a flag or the environment variable beside it; a list takes commas or the flag
repeated. An empty variable counts as not set.

Examples:
  callsemu --listen 127.0.0.1:0 --stun off          any free port, without STUN and TURN
  callsemu --mode real --app shop:s3cret            one app, with its secret checked
  callsemu --mode strict --contract 2026-09-30      as careful as can be, as of that day
  callsemu --set transport-wait=1s --log-format json
  callsemu wait --timeout 10s && npm test
  callsemu conformance --report conformance.html    is this emulator as the contract says?
  callsemu doctor                                   why media does not connect, if it does not
  eval "$(callsemu env)"                            this shell's programs trust the CA for HTTPS
`)
	return nil
}

// tables are the rules and the deviations.
func tables() string {
	var b strings.Builder
	names, values, ids := 0, 0, 0
	for _, r := range session.RuleTable() {
		names, values = max(names, len(r.Name)), max(values, len(r.Default))
	}
	for _, d := range emulator.AllDeviations() {
		ids = max(ids, len(d.ID))
	}
	b.WriteString("\nRules for --set NAME=VALUE:\n")
	for _, r := range session.RuleTable() {
		wrap(&b, fmt.Sprintf("  %-*s %-*s ", names, r.Name, values, r.Default), append(strings.Fields(r.Help), "("+r.Source+")"))
	}
	b.WriteString("\nWhere it deviates from the real service on purpose, and what switches that off:\n")
	for _, d := range emulator.AllDeviations() {
		plain := strings.NewReplacer("`", "")
		wrap(&b, fmt.Sprintf("  %-*s ", ids, d.ID), append(strings.Fields(plain.Replace(d.Text)), "[off: "+plain.Replace(d.Off)+"]"))
	}
	return b.String()
}
