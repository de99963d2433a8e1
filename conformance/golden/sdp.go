package golden

import (
	"slices"
	"strconv"
	"strings"
)

// sdp replaces what is random in the lines of an SDP. Candidates that are alike but for their address count once, and header
// extensions stand in the order of their numbers: pion writes those of a section in any order.
func (n *names) sdp(list []string) []string {
	var clean []string
	for _, line := range extensionsInOrder(list) {
		line = n.sdpLine(strings.TrimSuffix(line, "\r"))
		if !strings.HasPrefix(line, "a=candidate:") || !slices.Contains(clean, line) {
			clean = append(clean, line)
		}
	}
	return clean
}

func extensionsInOrder(list []string) []string {
	const extmap = "a=extmap:"
	number := func(line string) int {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, extmap), " ")
		n, _ := strconv.Atoi(strings.SplitN(first, "/", 2)[0])
		return n
	}
	sorted := slices.Clone(list)
	for begin := 0; begin < len(sorted); begin++ {
		end := begin
		for end < len(sorted) && strings.HasPrefix(sorted[end], extmap) {
			end++
		}
		slices.SortStableFunc(sorted[begin:end], func(a, b string) int { return number(a) - number(b) })
		begin = max(begin, end)
	}
	return sorted
}

func (n *names) sdpLine(line string) string {
	name, value, _ := strings.Cut(line, ":")
	fields := strings.Fields(value)
	switch {
	case strings.HasPrefix(line, "o="):
		return origin(line)
	case name == "a=fingerprint" && len(fields) == 2:
		return name + ":" + fields[0] + " <fingerprint>"
	case name == "a=ice-ufrag":
		return name + ":<ufrag>"
	case name == "a=ice-pwd":
		return name + ":<pwd>"
	case name == "a=candidate" && len(fields) >= 8:
		return candidate(name, fields)
	case name == "a=ssrc" && len(fields) >= 2:
		return n.ssrc(name, fields)
	case name == "a=ssrc-group" && len(fields) >= 2:
		for i := 1; i < len(fields); i++ {
			fields[i] = n.name("ssrc", fields[i])
		}
		return name + ":" + strings.Join(fields, " ")
	case name == "a=msid" && len(fields) > 0:
		return name + ":" + n.streams(fields)
	}
	return n.text(line)
}

// origin keeps the address, which is 0.0.0.0 or something to know about.
func origin(line string) string {
	fields := strings.Fields(line)
	if len(fields) != 6 {
		return line
	}
	fields[1], fields[2] = "<number>", "<number>"
	return strings.Join(fields, " ")
}

func candidate(name string, fields []string) string {
	fields[0], fields[4], fields[5] = "<foundation>", family(fields[4]), "<port>"
	if len(fields) > 3 && fields[2] != "udp" && fields[2] != "UDP" {
		fields[3] = "<priority>" // of TCP; it depends on the network's order
	}
	return name + ":" + strings.Join(fields, " ")
}

func family(address string) string {
	if strings.Contains(address, ":") {
		return "<IPv6>"
	}
	return "<IPv4>"
}

func (n *names) ssrc(name string, fields []string) string {
	fields[0] = n.name("ssrc", fields[0])
	for _, attribute := range []string{"cname:", "msid:", "mslabel:", "label:"} {
		if first, found := strings.CutPrefix(fields[1], attribute); found {
			fields[1] = first
			return name + ":" + fields[0] + " " + attribute + n.streams(fields[1:])
		}
	}
	return name + ":" + strings.Join(fields, " ")
}

// streams names a stream id, and a track id behind it.
func (n *names) streams(fields []string) string {
	named := slices.Clone(fields)
	for i, kind := range []string{"stream", "track"} {
		if i < len(named) && named[i] != "-" {
			named[i] = n.name(kind, named[i])
		}
	}
	return strings.Join(named, " ")
}
