package conformance

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What an emulator's explanations must be like: the header, and the bounds of a line and of all lines.
const (
	explainHeader = "X-Emu-Explain"
	explainLine   = 300
	explainTotal  = 3 << 10
)

var (
	// explained is a rule's id, the fact and the cure, in visible ASCII.
	explained = regexp.MustCompile(`^[A-Z]+-[0-9]+: [ -~]+$`)
	// explainedMore is the end of the last line where there are more refusals than lines.
	explainedMore = regexp.MustCompile(`; ([0-9]+) more in the log$`)
)

// checkExplained checks that a refusal, or each failed item of a success, has one line that explains it, and nothing else has.
func (x *exchange) checkExplained() {
	if !slices.Contains(x.t.target.Has, Explanations) {
		return
	}
	want := 0
	if x.Body.ErrorCode != "" { // else it is the items that failed, all of them where adapters answer 503
		want = 1
	}
	for _, item := range x.Body.Tracks {
		if item.ErrorCode != "" {
			want++
		}
	}
	for _, item := range x.Body.DataChannels {
		if item.ErrorCode != "" {
			want++
		}
	}
	lines, total := x.Header.Values(explainHeader), 0
	got := len(lines)
	for _, line := range lines {
		total += len(line)
		if len(line) > explainLine || !explained.MatchString(line) {
			x.t.Errorf("%s: %d bytes of explanation: %s", x, len(line), line)
		}
	}
	if got > 0 {
		if more := explainedMore.FindStringSubmatch(lines[got-1]); more != nil {
			n, _ := strconv.Atoi(more[1])
			got += n
		}
		if exposed := x.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, explainHeader) {
			x.t.Errorf("%s: the explanation cannot be read by pages: %q is exposed", x, exposed)
		}
	}
	if got != want || total > explainTotal {
		x.t.Errorf("%s: %d refusals are explained in %d lines of %d bytes: %q", x, want, got, total, lines)
	}
	if secret := x.t.target.Secret; len(secret) >= shortestSecret && strings.Contains(strings.Join(lines, ""), secret) {
		x.t.Errorf("%s: an explanation shows the secret", x)
	}
}
