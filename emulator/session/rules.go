package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rules are the timeouts and limits of the API. A field that is zero has its default (see RuleTable).
type Rules struct {
	TransportWait  time.Duration // how long a request waits for a connected transport before 425 (contract 2.2, 6)
	MediaWait      time.Duration // how long a pull waits for first media before empty_track_error (contract 1.3, 3.6)
	NeverConnected time.Duration // life of a session that never connects (contract 2.3)
	LostWindow     time.Duration // how long a session outlives its connectivity (contract 2.3)
	SilentTrack    time.Duration // a published track without packets for this long is collected (contract 2.3)
	AckWait        time.Duration // how long a subscription with waitForAck waits for its first message (contract 4.4)
	Liveness       time.Duration // real time in which a quiet endpoint answers when the clock has jumped over its deadline
	RateLimit      int           // requests a second on one session, in real time; dev mode has none (contract 6, 9.3)
	MaxTracks      int           // items in one tracks/new or tracks/update (contract 6)
	MaxMessage     int           // bytes of a data channel message; longer ones are lost (contract 4.1)
	MaxBody        int           // bytes of a request body (contract 6)
	MaxDevApps     int           // apps that dev mode makes on first use, seeded ones not counted

	TURNMaxTTL       time.Duration // longest life of a TURN credential (contract 6, 7.3)
	TURNLifetime     time.Duration // life of an allocation that is not refreshed, in real time (RFC 8656 section 3.2)
	TURNQuota        int           // allocations of one credential
	TURNAllocations  int           // allocations in all
	TURNPeers        int           // new peer addresses a second of one allocation; dev mode has no limit (contract 6)
	TURNPackets      int           // packets a second of one allocation; dev mode has no limit (contract 6)
	TURNBits         int           // bits a second of one allocation; dev mode has no limit (contract 6)
	AdapterHandshake time.Duration // how long an adapter's endpoint may take to accept (contract 5.1)
	AdapterRetry     time.Duration // how long a lost egress socket is made anew; the contract's day may make the default 5 s (contract 5.4)
	JPEGInterval     time.Duration // between two pictures of an adapter, in real time (contract 5.3, 6)
	IngestBuffer     time.Duration // of PCM that an adapter holds to be played; when full, its socket is not read (contract 5.3)
	MaxAdapters      int           // open at once in the whole emulator
}

// RuleInfo describes one rule for --help and --set.
type RuleInfo struct {
	Name    string
	Default string // as time.Duration writes it, so that it reads as the values of /_emu/settings
	Help    string
	Source  string
}

type rule struct {
	RuleInfo
	set func(r *Rules, value string) error
}

// RuleTable lists the rules in the order of --help.
func RuleTable() []RuleInfo {
	infos := make([]RuleInfo, 0, len(ruleTable))
	for _, rule := range ruleTable {
		infos = append(infos, rule.RuleInfo)
	}
	return infos
}

// Set gives the rule of that name a value: a duration such as 500ms, or a whole number up to the rule's bound; both above
// zero, and some durations not below a floor.
func (r *Rules) Set(name, value string) error {
	i := slices.IndexFunc(ruleTable, func(rule rule) bool { return rule.Name == name })
	if i < 0 {
		names := make([]string, 0, len(ruleTable))
		for _, rule := range ruleTable {
			names = append(names, rule.Name)
		}
		return fmt.Errorf("no rule is named %q; the rules are %s", name, strings.Join(names, ", "))
	}
	if err := ruleTable[i].set(r, value); err != nil {
		return fmt.Errorf("rule %s: %w", name, err)
	}
	return nil
}

// WithDefaults returns the rules with every zero field at its default.
func (r Rules) WithDefaults() Rules {
	full := Rules{}
	for _, rule := range ruleTable {
		if err := rule.set(&full, rule.Default); err != nil {
			panic("session: default of rule " + rule.Name + ": " + err.Error())
		}
	}
	orDefault(&r.TransportWait, full.TransportWait)
	orDefault(&r.MediaWait, full.MediaWait)
	orDefault(&r.NeverConnected, full.NeverConnected)
	orDefault(&r.LostWindow, full.LostWindow)
	orDefault(&r.SilentTrack, full.SilentTrack)
	orDefault(&r.AckWait, full.AckWait)
	orDefault(&r.MaxMessage, full.MaxMessage)
	orDefault(&r.Liveness, full.Liveness)
	orDefault(&r.RateLimit, full.RateLimit)
	orDefault(&r.MaxTracks, full.MaxTracks)
	orDefault(&r.MaxBody, full.MaxBody)
	orDefault(&r.MaxDevApps, full.MaxDevApps)
	orDefault(&r.TURNMaxTTL, full.TURNMaxTTL)
	orDefault(&r.TURNLifetime, full.TURNLifetime)
	orDefault(&r.TURNQuota, full.TURNQuota)
	orDefault(&r.TURNAllocations, full.TURNAllocations)
	orDefault(&r.TURNPeers, full.TURNPeers)
	orDefault(&r.TURNPackets, full.TURNPackets)
	orDefault(&r.TURNBits, full.TURNBits)
	orDefault(&r.AdapterHandshake, full.AdapterHandshake)
	orDefault(&r.AdapterRetry, full.AdapterRetry)
	orDefault(&r.JPEGInterval, full.JPEGInterval)
	orDefault(&r.IngestBuffer, full.IngestBuffer)
	orDefault(&r.MaxAdapters, full.MaxAdapters)
	return r
}

var ruleTable = []rule{
	{RuleInfo{"transport-wait", "5s", "how long a request waits for the session to connect before 425", "contract 2.2, 6"},
		duration(func(r *Rules) *time.Duration { return &r.TransportWait })},
	{RuleInfo{"media-wait", "8.2s", "how long a pull waits for the publisher's first packet before empty_track_error", "contract 1.3, 3.6"},
		duration(func(r *Rules) *time.Duration { return &r.MediaWait })},
	{RuleInfo{"never-connected", "1m0s", "life of a session that never connects", "contract 2.3, inferred"},
		duration(func(r *Rules) *time.Duration { return &r.NeverConnected })},
	{RuleInfo{"lost-window", "30s", "how long a session outlives its connectivity", "contract 2.3"},
		duration(func(r *Rules) *time.Duration { return &r.LostWindow })},
	{RuleInfo{"silent-track", "30s", "a published track without packets for this long is collected", "contract 2.3"},
		duration(func(r *Rules) *time.Duration { return &r.SilentTrack })},
	{RuleInfo{"ack-wait", "30s", "a data channel with waitForAck is closed if its first message does not come within this", "contract 4.4, 6"},
		duration(func(r *Rules) *time.Duration { return &r.AckWait })},
	{RuleInfo{"liveness", "1s", "real time in which a quiet endpoint answers a check when the clock has jumped", "callsemu"},
		duration(func(r *Rules) *time.Duration { return &r.Liveness })},
	{RuleInfo{"rate-limit", "50", "requests a second on one session, except in dev mode", "contract 6, 9.3"},
		number(1e6, func(r *Rules) *int { return &r.RateLimit })},
	{RuleInfo{"max-tracks", "64", "tracks in one tracks/new or tracks/update", "contract 6"},
		number(1e6, func(r *Rules) *int { return &r.MaxTracks })},
	{RuleInfo{"max-message", "65536", "bytes of a data channel message; longer ones are lost", "contract 4.1, 6"},
		number(262144, func(r *Rules) *int { return &r.MaxMessage })},
	{RuleInfo{"max-body", "1048576", "bytes of a request body", "contract 6, inferred"},
		number(64<<20, func(r *Rules) *int { return &r.MaxBody })},
	{RuleInfo{"max-dev-apps", "1000", "apps that dev mode makes on first use", "callsemu"},
		number(1e6, func(r *Rules) *int { return &r.MaxDevApps })},
	{RuleInfo{"turn-max-ttl", "48h0m0s", "longest ttl of a TURN credential", "contract 6, 7.3"},
		duration(func(r *Rules) *time.Duration { return &r.TURNMaxTTL })},
	{RuleInfo{"turn-lifetime", "10m0s", "life of a TURN allocation that is not refreshed", "RFC 8656 section 3.2"},
		duration(func(r *Rules) *time.Duration { return &r.TURNLifetime })},
	{RuleInfo{"turn-quota", "100", "TURN allocations of one credential", "callsemu"},
		number(1e6, func(r *Rules) *int { return &r.TURNQuota })},
	{RuleInfo{"turn-allocations", "1000", "TURN allocations in all", "callsemu"},
		number(1e6, func(r *Rules) *int { return &r.TURNAllocations })},
	{RuleInfo{"turn-peers", "5", "new peers of a TURN allocation a second, except in dev mode", "contract 6"},
		number(1e6, func(r *Rules) *int { return &r.TURNPeers })},
	{RuleInfo{"turn-packets", "10000", "packets of a TURN allocation a second, except in dev mode", "contract 6"},
		number(1e6, func(r *Rules) *int { return &r.TURNPackets })},
	{RuleInfo{"turn-bits", "100000000", "bits of a TURN allocation a second, except in dev mode", "contract 6"},
		number(1e12, func(r *Rules) *int { return &r.TURNBits })},
	{RuleInfo{"adapter-handshake", "7s", "how long an adapter's endpoint may take to accept", "contract 6: inside 8 s; 10 Q40 guesses 10 s"},
		duration(func(r *Rules) *time.Duration { return &r.AdapterHandshake })},
	{RuleInfo{ruleAdapterRetry, "15s", "how long an adapter's lost egress socket is made anew; 5s by older contracts", "contract 5.4"},
		duration(func(r *Rules) *time.Duration { return &r.AdapterRetry })},
	{RuleInfo{"jpeg-interval", "1s", "between two pictures of an adapter, 100ms at least; key frames are asked for once a second at most", "contract 5.3, 6"},
		durationFrom(100*time.Millisecond, func(r *Rules) *time.Duration { return &r.JPEGInterval })},
	{RuleInfo{"ingest-buffer", "2m0s", "of PCM that an adapter holds; when it is full the socket is not read", "contract 5.3, inferred"},
		duration(func(r *Rules) *time.Duration { return &r.IngestBuffer })},
	{RuleInfo{"max-adapters", "200", "adapters that are open at once", "callsemu"},
		number(1e6, func(r *Rules) *int { return &r.MaxAdapters })},
}

func duration(field func(*Rules) *time.Duration) func(*Rules, string) error {
	return func(r *Rules, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a duration above zero such as 5s or 500ms", value)
		}
		*field(r) = d
		return nil
	}
}

// durationFrom is duration with a floor: work is done once in that time.
func durationFrom(least time.Duration, field func(*Rules) *time.Duration) func(*Rules, string) error {
	set := duration(field)
	return func(r *Rules, value string) error {
		var asked Rules
		if err := set(&asked, value); err != nil {
			return err
		}
		if *field(&asked) < least {
			return fmt.Errorf("%q is below %s, the least that it may be", value, least)
		}
		return set(r, value)
	}
}

// number bounds what a rule may take: a body of that size is held in memory, once for each call.
func number(most int, field func(*Rules) *int) func(*Rules, string) error {
	return func(r *Rules, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 || n > most {
			return fmt.Errorf("%q is not a whole number above zero and at most %d", value, most)
		}
		*field(r) = n
		return nil
	}
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
