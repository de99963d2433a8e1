package main

import (
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
)

func TestEverySettingIsAFlagAndAVariable(t *testing.T) {
	table := reflect.TypeFor[settings]()
	for i := range table.NumField() {
		field := table.Field(i)
		env := field.Tag.Get("env")
		if !strings.HasPrefix(env, "CALLSEMU_") || field.Tag.Get("help") == "" {
			t.Errorf("%s: variable %q, help %q", field.Name, env, field.Tag.Get("help"))
		}
		if name := strings.TrimPrefix(env, "CALLSEMU_"); strings.ReplaceAll(name, "_", "") != strings.ToUpper(field.Name) {
			t.Errorf("%s has variable %s", field.Name, env)
		}
	}
}

func TestSettingsReachTheEmulator(t *testing.T) {
	cfg, err := settings{
		Listen: "l", Media: []string{"m"}, Advertise: []string{"a"}, STUN: "s", Mode: "strict", Emu: "off",
		Contract: "2025-12-31", Host: []string{"h"}, HTTPS: []string{"t"}, TLSName: []string{"n"}, TLSCert: "c", TLSKey: "k",
		StateDir: " d ", Account: []string{"acc:tok"},
		App: []string{"x:1", "y:2"}, Set: []string{"transport-wait=7s", " max-body = 9 "}, LogLevel: "error", LogFormat: "json",
	}.config(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "l" || cfg.Media[0] != "m" || cfg.Advertise[0] != "a" || cfg.STUN != "s" || !cfg.HideEmu ||
		cfg.Mode != session.ModeStrict || cfg.Contract.String() != "2025-12-31" || cfg.Hosts[0] != "h" || cfg.Apps["y"] != "2" || cfg.Rules.TransportWait != 7*time.Second || cfg.Rules.MaxBody != 9 ||
		cfg.HTTPS[0] != "t" || cfg.TLSNames[0] != "n" || cfg.TLSCert != "c" || cfg.TLSKey != "k" || cfg.StateDir != "d" || cfg.Accounts["acc"] != "tok" {
		t.Errorf("got %+v", cfg)
	}
	if cfg.Logger.Enabled(t.Context(), -4) || cfg.Logger.Enabled(t.Context(), 4) || !cfg.Logger.Enabled(t.Context(), 8) {
		t.Error("the log level is not error")
	}
}

func TestCommaInsideASecretStaysInIt(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   map[string]string
	}{
		{[]string{"a:x,y"}, map[string]string{"a": "x,y"}},
		{[]string{"a:x,y,b:z", "c:,,"}, map[string]string{"a": "x,y", "b": "z", "c": ",,"}},
		{[]string{"a:x:y,not an id:z"}, map[string]string{"a": "x:y,not an id:z"}},
		{nil, map[string]string{}},
	} {
		if got, err := parseApps(c.values); err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%q: got %v, %v", c.values, got, err)
		}
	}
}

// TestHelpHasColumns: what a row says begins in the same column in all rows, and no line is wider than a terminal.
func TestHelpHasColumns(t *testing.T) {
	lines := strings.Split(tables(), "\n")
	for _, line := range lines {
		if len(line) > columns {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	row := func(id, text string) (column int) {
		for _, line := range lines {
			if strings.HasPrefix(line, "  "+id+" ") {
				return strings.Index(line, " "+strings.Fields(text)[0]+" ")
			}
		}
		t.Errorf("no row for %s", id)
		return 0
	}
	for _, r := range session.RuleTable() {
		if values, texts := row(r.Name, r.Default), row(r.Name, r.Help); values != 19 || texts != 29 {
			t.Errorf("%s: %d, %d", r.Name, values, texts)
		}
	}
	for _, d := range emulator.AllDeviations() {
		if texts := row(d.ID, strings.ReplaceAll(d.Text, "`", "")); texts != 8 {
			t.Errorf("%s: %d", d.ID, texts)
		}
	}
}

func TestStateIsKeptForTheUser(t *testing.T) {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Setenv("HOME", config)
	t.Setenv("AppData", config)
	if dir, err := stateDir(" "); err != nil || filepath.Base(dir) != "callsemu" || !strings.HasPrefix(dir, config) {
		t.Errorf("%q, %v", dir, err)
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "AppData"} {
		t.Setenv(name, "")
	}
	var log strings.Builder
	cfg, err := settings{Mode: "dev", LogLevel: "info"}.config(&log)
	if err != nil || cfg.StateDir != "" || !strings.Contains(log.String(), "kept in memory") || !strings.Contains(log.String(), "--state-dir DIR") {
		t.Errorf("a user without a home: %q, %v, log %q", cfg.StateDir, err, log.String())
	}
}

func TestHealthcheckAsksWhereServeListens(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:1473": "http://127.0.0.1:1473/readyz", ":80": "http://127.0.0.1:80/readyz", "[::]:80": "http://127.0.0.1:80/readyz",
		"192.0.2.7:80": "http://192.0.2.7:80/readyz", "localhost:80": "http://localhost:80/readyz", "[::1]:80": "http://[::1]:80/readyz",
	} {
		if got, err := healthURL(listen); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", listen, got, err, want)
		}
	}
}
