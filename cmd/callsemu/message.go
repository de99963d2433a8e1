package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/emulator"
	"github.com/callsemu/callsemu/emulator/session"
)

// columns is how wide a line for a terminal may be; a single word that is longer stays whole.
const columns = 100

// message is what a user needs for the first call. The base URL begins and ends it, so that it is in sight however long the rest is.
type message struct {
	*emulator.Emulator
	cfg emulator.Config
}

// write writes it for people, or as one line of a log in JSON. Both hold secrets, so they go to stdout and not into the log.
func (m message) write(w io.Writer, asJSON bool) {
	if asJSON {
		slog.New(slog.NewJSONHandler(w, nil)).Info("callsemu serves", m.attributes()...)
		return
	}
	_, _ = io.WriteString(w, m.text())
}

func (m message) text() string {
	var b strings.Builder
	row := func(name string, words ...string) { wrap(&b, fmt.Sprintf("  %-10s ", name), words) }
	b.WriteString("callsemu serves " + m.BaseURL() + "\n")
	row("version", version()) // long where it is built from a commit
	apps := m.apps()
	for i, id := range sortedKeys(apps) {
		row("app id", id)
		row("secret", append([]string{apps[id]}, m.note(i == len(apps)-1, len(m.cfg.Apps) == 0, "app id", "--app ID:SECRET")...)...)
	}
	m.tokens(row, "account", m.accounts(), len(m.cfg.Accounts) == 0, "--account ID:TOKEN")
	if more := m.HTTPURLs(); len(more) > 0 {
		row("HTTP", listed(more)...)
	}
	row("HTTPS", listed(m.HTTPSURLs())...)
	row("CA", m.ca()...)
	row("media", listed(m.media())...)
	row("STUN", orDefault(m.STUNURL(), "off"))
	if turn := m.TURNURLs(); len(turn) > 0 {
		row("TURN", listed(turn)...)
		m.tokens(row, "TURN key", m.turnKeys(), len(m.cfg.TURNKeys) == 0, "--turn-key ID:TOKEN")
	}
	row("mode", m.cfg.Mode.String()+", contract "+m.cfg.Contract.String())
	for _, c := range session.Changes() {
		if !m.cfg.Contract.InForce(c) {
			row("", strings.Fields("not yet, but from "+c.Since+" on: "+c.Help)...)
		}
	}
	row("deviates", append(m.deviations(), "(callsemu --help explains them)")...)
	row("base URL", m.BaseURL())
	return b.String()
}

// attributes are the same for a log.
func (m message) attributes() []any {
	return []any{
		"version", version(), "base_url", m.BaseURL(), "apps", m.apps(), "accounts", m.accounts(), "http", whole(m.HTTPURLs()), "https", whole(m.HTTPSURLs()),
		"ca", strings.Join(m.ca(), " "), "media", m.media(), "stun", m.STUNURL(), "turn", whole(m.TURNURLs()), "turn_keys", m.turnKeys(),
		"mode", m.cfg.Mode.String(), "contract", m.cfg.Contract.String(), "deviates", whole(m.deviations()),
	}
}

// whole is a list that is no null in JSON where it is empty.
func whole(list []string) []string { return append([]string{}, list...) }

// tokens writes a row for each id that has an API token.
func (m message) tokens(row func(string, ...string), name string, tokens map[string]string, madeUp bool, flag string) {
	for i, id := range sortedKeys(tokens) {
		row(name, append([]string{id, "with API token", tokens[id]}, m.note(i == len(tokens)-1, madeUp, name, flag)...)...)
	}
}

// note says, after the last of a kind, what else would do.
func (m message) note(last, madeUp bool, kind, flag string) []string {
	switch {
	case !last:
		return nil
	case m.cfg.Mode == session.ModeDev:
		return []string{"(any other " + kind + " works too, with any token)"}
	case madeUp:
		return []string{"(new in every run; " + flag + " sets it)"}
	}
	return nil
}

func (m message) apps() map[string]string { return seeded(m.cfg.Apps, m.AppID(), m.Secret()) }

func (m message) accounts() map[string]string {
	return seeded(m.cfg.Accounts, m.AccountID(), m.AccountToken())
}

func (m message) turnKeys() map[string]string {
	return seeded(m.cfg.TURNKeys, m.TURNKeyID(), m.TURNKeyToken())
}

// seeded are the ids that were given, or the one that was made up.
func seeded(given map[string]string, id, secret string) map[string]string {
	if len(given) > 0 {
		return given
	}
	return map[string]string{id: secret}
}

// ca says what a client has to trust.
func (m message) ca() []string {
	switch {
	case m.CA() == nil:
		return []string{"none; HTTPS has the certificate", m.cfg.TLSCert}
	case m.CAFile() != "":
		return []string{m.CAFile() + ";", "callsemu env tells how to trust it"}
	case m.cfg.HideEmu:
		return []string{"new in every run; --state-dir DIR keeps it"}
	}
	return []string{"new in every run, at", strings.TrimSuffix(m.BaseURL(), "/v1") + "/_emu/ca.pem;", "--state-dir DIR keeps it"}
}

func (m message) media() (list []string) {
	for _, c := range m.Candidates() {
		protocol := "udp"
		if c.TCP {
			protocol = "tcp"
		}
		list = append(list, protocol+" "+c.Addr.String())
	}
	return list
}

func (m message) deviations() (ids []string) {
	for _, d := range m.Deviations() {
		ids = append(ids, d.ID)
	}
	return ids
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// listed are the words of a list with commas.
func listed(words []string) []string {
	list := slices.Clone(words)
	for i := range len(list) - 1 {
		list[i] += ","
	}
	return list
}

// wrap writes words after a heading, with as many lines as they need. What has spaces is not taken apart.
func wrap(b *strings.Builder, heading string, words []string) {
	line := heading
	for _, word := range words {
		if len(line) > len(heading) && len(line)+len(word) > columns {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", len(heading))
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
