package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// compareJSON calls add for each member of two decoded bodies that differs, and for each line of their SDPs.
func compareJSON(path string, was, is any, add func(kind Kind, what, was, is string)) {
	a, aIsObject := was.(map[string]any)
	b, bIsObject := is.(map[string]any)
	if aIsObject && bIsObject {
		for _, name := range slices.Sorted(maps.Keys(union(a, b))) {
			compareMember(path, name, a, b, add)
		}
		return
	}
	c, cIsList := was.([]any)
	d, dIsList := is.([]any)
	if cIsList && dIsList {
		for i := range max(len(c), len(d)) {
			compareJSON(fmt.Sprintf("%s[%d]", path, i), at(c, i), at(d, i), add)
		}
		return
	}
	if x, y := compact(was), compact(is); x != y {
		add(Body, "body field "+strings.TrimPrefix(path, "."), x, y)
	}
}

// absent is a member or element that is not there, unlike null.
type absent struct{}

func at(list []any, i int) any {
	if i >= len(list) {
		return absent{}
	}
	return list[i]
}

func compareMember(path, name string, a, b map[string]any, add func(kind Kind, what, was, is string)) {
	x, inA := a[name]
	y, inB := b[name]
	if !inA {
		x = absent{}
	}
	if !inB {
		y = absent{}
	}
	if before, now := texts(x), texts(y); name == "sdp" && before != nil && now != nil {
		for _, line := range lineDifferences(before, now) {
			add(SDP, "SDP line"+line[2], line[0], line[1])
		}
		return
	}
	compareJSON(path+"."+name, x, y, add)
}

// texts is a list of strings; nil for anything else.
func texts(value any) []string {
	list, is := value.([]any)
	if !is {
		return nil
	}
	lines := make([]string, 0, len(list))
	for _, element := range list {
		line, _ := element.(string)
		lines = append(lines, line)
	}
	return lines
}

// compact is JSON in one line; "" for absent.
func compact(value any) string {
	if value == nil || value == (absent{}) {
		if value == nil {
			return "null"
		}
		return ""
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(b.String())
}

// lineDifferences compares lines of an SDP: each difference is the line before, the line now ("" for none), and where it stands. A line
// that has another value is one difference, not two.
func lineDifferences(was, is []string) (list [][3]string) {
	pairs := align(was, is, func(a, b string) bool { return unnumbered(a) == unnumbered(b) })
	section := ""
	var gone, come []string
	flush := func() {
		for _, before := range gone {
			now := ""
			if i := slices.IndexFunc(come, func(line string) bool { return attribute(line) == attribute(before) }); i >= 0 {
				now = come[i]
				come = slices.Delete(come, i, i+1)
			}
			list = append(list, [3]string{before, now, section})
		}
		for _, now := range come {
			list = append(list, [3]string{"", now, section})
		}
		gone, come = nil, nil
	}
	for _, p := range pairs {
		switch {
		case p.a >= 0 && p.b >= 0:
			flush()
			if kind, _, found := strings.Cut(strings.TrimPrefix(was[p.a], "m="), " "); found && strings.HasPrefix(was[p.a], "m=") {
				section = " of m=" + kind
			}
		case p.a >= 0:
			gone = append(gone, was[p.a])
		default:
			come = append(come, is[p.b])
		}
	}
	flush()
	return list
}

// attribute is the name of a line's attribute, with the payload type where a line is of one.
func attribute(line string) string {
	name, value, _ := strings.Cut(line, ":")
	switch name {
	case "a=rtpmap", "a=fmtp", "a=extmap":
		number, _, _ := strings.Cut(value, " ")
		return name + " " + number
	case "a=rtcp-fb":
		return line // each is of its own
	}
	return name
}

// pair is a place in two lists; -1 where the other list has nothing like it.
type pair struct{ a, b int }

// align pairs what is alike in both lists, in order, as much of it as there is (the longest common subsequence).
func align[E any](a, b []E, alike func(a, b E) bool) (pairs []pair) {
	length := make([][]int, len(a)+1) // of the best alignment of a[i:] and b[j:]
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if alike(a[i], b[j]) {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && alike(a[i], b[j]):
			pairs = append(pairs, pair{i, j})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			pairs = append(pairs, pair{i, -1})
			i++
		default:
			pairs = append(pairs, pair{-1, j})
			j++
		}
	}
	return pairs
}
