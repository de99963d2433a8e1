package session

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreTheContractsValues(t *testing.T) {
	want := Rules{
		TransportWait: 5 * time.Second, MediaWait: 8200 * time.Millisecond, NeverConnected: time.Minute,
		LostWindow: 30 * time.Second, SilentTrack: 30 * time.Second, AckWait: 30 * time.Second, Liveness: time.Second,
		RateLimit: 50, MaxTracks: 64, MaxMessage: 64 << 10, MaxBody: 1 << 20, MaxDevApps: 1000,
		TURNMaxTTL: 48 * time.Hour, TURNLifetime: 10 * time.Minute, TURNQuota: 100, TURNAllocations: 1000,
		TURNPeers: 5, TURNPackets: 10_000, TURNBits: 100_000_000,
		AdapterHandshake: 7 * time.Second, AdapterRetry: 15 * time.Second, JPEGInterval: time.Second, IngestBuffer: 2 * time.Minute, MaxAdapters: 200,
	}
	if got := (Rules{}).WithDefaults(); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	if got := (Rules{MaxTracks: 2}).WithDefaults().MaxTracks; got != 2 {
		t.Errorf("a value that was set became %d", got)
	}
}

func TestEveryRuleCanBeSetAndIsDescribed(t *testing.T) {
	table := RuleTable()
	if fields := reflect.TypeFor[Rules]().NumField(); len(table) != fields {
		t.Fatalf("%d rules in the table, %d fields", len(table), fields)
	}
	for _, info := range table {
		if info.Help == "" || info.Source == "" {
			t.Errorf("rule %s lacks help or source", info.Name)
		}
		changed, value := Rules{}.WithDefaults(), "11"
		if strings.HasSuffix(info.Default, "s") {
			value = "11s"
		}
		if err := changed.Set(info.Name, value); err != nil {
			t.Errorf("set %s: %v", info.Name, err)
		}
		if changed == (Rules{}).WithDefaults() {
			t.Errorf("setting %s changed nothing", info.Name)
		}
	}
}

func TestPicturesMayBeATenthOfASecondApart(t *testing.T) {
	var r Rules
	if err := r.Set("jpeg-interval", "100ms"); err != nil || r.JPEGInterval != 100*time.Millisecond {
		t.Errorf("%v, %v", r.JPEGInterval, err)
	}
	if err := r.Set("jpeg-interval", "1ns"); err == nil || !strings.Contains(err.Error(), "100ms") {
		t.Errorf("the error does not name the floor: %v", err)
	}
}

func TestBadRuleValuesAreRefused(t *testing.T) {
	for _, c := range [][2]string{
		{"no-such-rule", "1"}, {"media-wait", "soon"}, {"media-wait", "0s"}, {"media-wait", "-1s"}, {"media-wait", "5"},
		{"max-tracks", "many"}, {"max-tracks", "0"}, {"max-tracks", "-1"}, {"max-tracks", "1.5"},
		{"jpeg-interval", "1ns"}, {"jpeg-interval", "99ms"},
	} {
		var r Rules
		if err := r.Set(c[0], c[1]); err == nil || r != (Rules{}) {
			t.Errorf("%s=%s: error %v, rules %+v", c[0], c[1], err, r)
		} else if !strings.Contains(err.Error(), c[0]) {
			t.Errorf("%s=%s: the error names no rule: %v", c[0], c[1], err)
		}
	}
}

// TestDefaultsReadAsSettingsDo: what --help shows and what /_emu/settings answers are the same words.
func TestDefaultsReadAsSettingsDo(t *testing.T) {
	for _, r := range RuleTable() {
		if d, err := time.ParseDuration(r.Default); err == nil && d.String() != r.Default {
			t.Errorf("%s: default %s is written %s", r.Name, r.Default, d)
		}
	}
}
