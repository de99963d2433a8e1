package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// names replaces what is of one run by placeholders such as <session 1>.
type names struct {
	known map[string]string // placeholder by what it stands for
	order []string          // what is known, the longest first
	count map[string]int    // by kind
}

func newNames() *names { return &names{known: map[string]string{}, count: map[string]int{}} }

// name is the placeholder of a value of that kind.
func (n *names) name(kind, value string) string {
	if placeholder, found := n.known[value]; found {
		return placeholder
	}
	n.count[kind]++
	placeholder := fmt.Sprintf("<%s %d>", kind, n.count[kind])
	n.known[value] = placeholder
	if len(value) >= shortestKnown {
		n.order = append(n.order, value)
		slices.SortStableFunc(n.order, func(a, b string) int { return len(b) - len(a) })
	}
	return placeholder
}

// shortestKnown bounds what is looked for everywhere; a shorter value is replaced in its own place alone.
const shortestKnown = 12

// placed finds, by what stands before an id in the path, what kind it is.
var placed = map[string]string{"apps": "app", "sessions": "session", "keys": "key", "turn_keys": "key", "accounts": "account"}

// patterns are what is random by its form, wherever it stands.
var patterns = []struct {
	kind string
	form *regexp.Regexp
}{
	{"uuid", regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)},
	{"id", regexp.MustCompile(`\b[0-9a-f]{32}\b`)},
	{"random", regexp.MustCompile(`\b[A-Z2-7]{26}\b`)},
	{"address", regexp.MustCompile(`(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):\d{2,5}\b`)},
}

// durations are measured times in texts of the suite.
var durations = regexp.MustCompile(`\b\d+(\.\d+)?(ms|µs|s)\b`)

// text replaces what is known, and what has a random form.
func (n *names) text(s string) string {
	for _, value := range n.order {
		s = strings.ReplaceAll(s, value, n.known[value])
	}
	for _, p := range patterns {
		s = p.form.ReplaceAllStringFunc(s, func(value string) string { return n.name(p.kind, value) })
	}
	return s
}

// url replaces the ids of a path by their place.
func (n *names) url(url string) string {
	path, query, asked := strings.Cut(url, "?")
	segments := strings.Split(path, "/")
	for i := 1; i < len(segments); i++ {
		if kind, found := placed[segments[i-1]]; found && segments[i] != "" && segments[i] != "new" {
			segments[i] = n.name(kind, segments[i])
		} else {
			segments[i] = n.text(segments[i])
		}
	}
	path = strings.Join(segments, "/")
	if asked {
		path += "?" + n.text(query)
	}
	return path
}

// longestText is how much of a string is kept, and beginning how much of a longer one that is no JSON.
const (
	longestText = 300
	beginning   = 16
)

func cut(s string) string {
	if len(s) <= longestText {
		return s
	}
	return s[:longestText/2] + "... (" + strconv.Itoa(len(s)) + " bytes)"
}

// body is JSON with placeholders, or the text that is none; nil for an empty one.
func (n *names) body(raw string, answer bool) any {
	if raw == "" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || decoder.More() {
		if len(raw) > longestText { // it was cut when it was recorded, or is no JSON: what it was about, stands at its beginning
			return n.text(raw[:beginning]) + "... (cut)"
		}
		return n.text(raw)
	}
	return n.value("", value, answer)
}

// kinds are the members of JSON objects that have an id, or a value of this run.
var kinds = map[string]string{"sessionId": "session", "adapterId": "adapter", "uid": "uid", "created": "time", "modified": "time"}

// value replaces in decoded JSON. Members come in the order of their names, so that numbers are given in the same order every time.
func (n *names) value(name string, value any, answer bool) any {
	switch v := value.(type) {
	case map[string]any:
		clean := map[string]any{}
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if member != "bytesProcessed" { // it is there when there were bytes, which is a matter of moments
				clean[member] = n.value(member, v[member], answer)
			}
		}
		return clean
	case []any:
		clean := []any{}
		for _, element := range v {
			if name != "result" || n.own(element) {
				clean = append(clean, n.value("", element, answer))
			}
		}
		return clean
	case string:
		return n.member(name, v, answer)
	}
	return value
}

func (n *names) member(name, v string, answer bool) any {
	kind, found := kinds[name]
	switch {
	case kind == "time":
		return "<time>"
	case found && v != "" && v != "***":
		return n.name(kind, v)
	case name == "endpoint" && strings.Contains(v, "token="): // the suite's own
		return n.name("endpoint", v)
	case name == "sdp" && answer:
		return lines(n.sdp(strings.Split(strings.TrimSuffix(v, "\r\n"), "\r\n")))
	case name == "sdp" && strings.Contains(v, "m="):
		return "(SDP)"
	}
	return n.text(cut(v))
}

func lines(list []string) []any {
	values := make([]any, len(list))
	for i, line := range list {
		values[i] = line
	}
	return values
}

// own says whether an element of an account's list is of this case: other cases beside it make items too.
func (n *names) own(element any) bool {
	object, _ := element.(map[string]any)
	uid, has := object["uid"].(string)
	_, known := n.known[uid]
	return !has || known
}
