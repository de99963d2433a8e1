package emulator

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// explainHeader carries why a call, or an item inside a 200, was refused: one line per refusal, in the order of the
// items. The real service has nothing like it, so it is sent where DEV-7 is in force only; the log has it always.
const explainHeader = "X-Emu-Explain"

// Bounds of the header, in bytes after encoding. Servers and proxies in front commonly refuse more than 8 KB of headers.
const (
	explainLine  = 300
	explainTotal = 3 << 10
)

// setExplain writes the header's lines and makes them readable for pages of other origins. No line, no header.
func setExplain(h http.Header, explanations []string) {
	lines := explainLines(explanations)
	if len(lines) == 0 {
		return
	}
	h[explainHeader] = lines
	h.Set("Access-Control-Expose-Headers", explainHeader)
}

// explainLines encodes explanations and bounds them. Where they are too many for the header, the last line that is sent
// ends in "; N more in the log".
func explainLines(explanations []string) []string {
	var lines []string
	room := explainTotal
	for i, e := range explanations {
		line := encodeHeader(e, explainLine)
		left := len(explanations) - i
		if len(line) > room || (left > 1 && room-len(line) < explainLine) {
			more := fmt.Sprintf("; %d more in the log", left-1)
			return append(lines, encodeHeader(e, min(explainLine, room)-len(more))+more)
		}
		lines = append(lines, line)
		room -= len(line)
	}
	return lines
}

// encodeHeader makes visible ASCII of a text: everything else, and the percent sign, becomes %XX for each byte of its
// UTF-8. A text that is too long ends in "..."; no character is cut in two.
func encodeHeader(text string, most int) string {
	const cut = "..."
	var b strings.Builder
	fits := 0 // length of the longest prefix that leaves room for the cut mark
	for len(text) > 0 {
		_, size := utf8.DecodeRuneInString(text)
		for _, c := range []byte(text[:size]) {
			if c < ' ' || c > '~' || c == '%' {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
		text = text[size:]
		if b.Len() > most {
			return b.String()[:fits] + cut
		}
		if b.Len() <= most-len(cut) {
			fits = b.Len()
		}
	}
	return b.String()
}
