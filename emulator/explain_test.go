package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestExplanationIsPercentEncodedASCII(t *testing.T) {
	for in, want := range map[string]string{
		"TRK-3: plain (a, b); c": "TRK-3: plain (a, b); c",
		"100%":                   "100%25",
		"näme":                   "n%C3%A4me",
		"two\r\nlines\t\x7f":     "two%0D%0Alines%09%7F",
		"bad \xff byte":          "bad %FF byte",
	} {
		if got := encodeHeader(in, explainLine); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestLongExplanationIsCutBetweenCharacters(t *testing.T) {
	if got := encodeHeader(strings.Repeat("ä", 200), explainLine); len(got) > explainLine || !strings.HasSuffix(got, "%C3%A4...") {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-12:])
	}
	exact := strings.Repeat("x", explainLine)
	if got := encodeHeader(exact, explainLine); got != exact {
		t.Errorf("a text that fits was cut: %d bytes", len(got))
	}
	if got := encodeHeader(exact+"x", explainLine); len(got) != explainLine || !strings.HasSuffix(got, "x...") {
		t.Errorf("one byte too many became %d bytes", len(got))
	}
}

func TestExplanationsKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringN(0, 400, -1), 0, 80).Draw(t, "texts")
		lines := explainLines(texts)
		total := 0
		for _, line := range lines {
			total += len(line)
			if len(line) > explainLine || !isVisible(line) {
				t.Fatalf("line %q", line)
			}
		}
		if total > explainTotal {
			t.Fatalf("%d bytes in all", total)
		}
		if left := len(texts) - len(lines); left > 0 {
			if want := "; " + strconv.Itoa(left) + " more in the log"; !strings.HasSuffix(lines[len(lines)-1], want) {
				t.Fatalf("%d are missing, the last line is %q", left, lines[len(lines)-1])
			}
		}
	})
}

func isVisible(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func TestExplanationsOfAFullRequestSayHowManyAreMissing(t *testing.T) {
	lines := explainLines(make64(strings.Repeat("y", 250)))
	if len(lines) != 12 || !strings.HasSuffix(lines[11], "; 52 more in the log") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func make64(text string) []string {
	list := make([]string, 64)
	for i := range list {
		list[i] = text
	}
	return list
}

func TestNoExplanationNoHeader(t *testing.T) {
	h := http.Header{}
	setExplain(h, nil)
	if len(h) != 0 {
		t.Errorf("got %v", h)
	}
}

func TestSecretsAreHiddenInExplanations(t *testing.T) {
	got := hideSecrets(`track "open-sesame" and "a=ice-pwd:0123456789abcdefABCDEF+/\r\n"`, "open-sesame")
	if want := `track "***" and "a=ice-pwd:***\r\n"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := hideSecrets("a name with a", "a"); got != "a name with a" {
		t.Errorf("a token of one letter changed the text: %s", got)
	}
}
