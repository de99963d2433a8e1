package conformance

import (
	"slices"
	"strings"
)

// The SDP of cases is looked at as text: a parser would hide what a strict client trips over.

// sdpParts is an SDP cut before every m-line; the first part is the session level.
func sdpParts(sdp string) []string {
	parts := strings.Split(sdp, "\r\nm=")
	for i := range parts {
		if i > 0 {
			parts[i] = "m=" + parts[i]
		}
		if i < len(parts)-1 {
			parts[i] += "\r\n"
		}
	}
	return parts
}

// withoutLines drops every line with one of the prefixes.
func withoutLines(sdp string, prefixes ...string) string {
	kept := slices.DeleteFunc(strings.SplitAfter(sdp, "\r\n"), func(line string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
	})
	return strings.Join(kept, "")
}

// sdpLines gives the values of all lines with the prefix.
func sdpLines(part, prefix string) []string {
	var values []string
	for line := range strings.SplitSeq(part, "\r\n") {
		if value, found := strings.CutPrefix(line, prefix); found {
			values = append(values, value)
		}
	}
	return values
}

func hasLine(part, line string) bool { return slices.Contains(strings.Split(part, "\r\n"), line) }

// codecNames are the names in the rtpmap lines of a section, rtx included.
func codecNames(part string) []string {
	var names []string
	for _, value := range sdpLines(part, "a=rtpmap:") {
		_, name, _ := strings.Cut(value, " ")
		name, _, _ = strings.Cut(name, "/")
		names = append(names, strings.ToUpper(name))
	}
	return names
}

// checkSDP checks the shape that every SDP of the SFU has (contract 3.1).
func (t *T) checkSDP(what, sdp string) []string {
	if !strings.HasSuffix(sdp, "\r\n") {
		t.Errorf("%s does not end with a line termination", what)
	}
	parts := sdpParts(sdp)
	if len(parts) < 2 {
		t.Fatalf("%s has no section:\n%s", what, sdp)
	}
	session := parts[0]
	for _, line := range []string{"v=0", "s=-", "t=0 0", "a=ice-lite", "a=extmap-allow-mixed"} {
		if !hasLine(session, line) {
			t.Errorf("%s lacks %s at session level:\n%s", what, line, session)
		}
	}
	if len(sdpLines(session, "a=fingerprint:sha-256 ")) != 1 || len(sdpLines(session, "a=group:BUNDLE")) != 1 {
		t.Errorf("%s lacks a session-level fingerprint or BUNDLE group:\n%s", what, session)
	}
	t.checkCandidates(what, parts[1:])
	return parts
}

// checkCandidates: complete in the first section that is not rejected, and nowhere else (contract 3.1).
func (t *T) checkCandidates(what string, sections []string) {
	first := slices.IndexFunc(sections, func(s string) bool { return !rejected(s) })
	for i, section := range sections {
		candidates, ends := sdpLines(section, "a=candidate:"), hasLine(section, "a=end-of-candidates")
		if i == first && (len(candidates) == 0 || len(candidates) > 6 || !ends) {
			t.Errorf("%s: the first open section has %d candidates, end-of-candidates %t", what, len(candidates), ends)
		}
		if i != first && (len(candidates) != 0 || ends) {
			t.Errorf("%s: section %d has candidates", what, i)
		}
		for _, candidate := range candidates {
			if fields := strings.Fields(candidate); len(fields) < 8 || fields[1] != "1" || fields[7] != "host" {
				t.Errorf("%s: candidate %q is not a host candidate of component 1", what, candidate)
			}
		}
	}
}

func rejected(section string) bool {
	fields := strings.Fields(section)
	return len(fields) > 1 && fields[1] == "0"
}

// direction of a section; sendrecv where none is written (RFC 8866).
func direction(section string) string {
	for _, d := range []string{"sendonly", "recvonly", "inactive"} {
		if hasLine(section, "a="+d) {
			return d
		}
	}
	return "sendrecv"
}
