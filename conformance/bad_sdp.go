package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// The rows that bad SDPs get (contract 1.2, 1.3).
const (
	rowUnparsable = "invalid_session_description/400"
	rowLineEnd    = "invalid_session_description/400 line end"
	rowNoUfrag    = "invalid_session_description/400 ufrag"
)

// badSDPs are SDPs that cannot be used, by the row that answers them.
func badSDPs(good string) map[string][]string {
	return map[string][]string{
		rowUnparsable: {
			"", "garbage", "v=0", "\r\n", "v=0\r\nm=\r\n", strings.Repeat("A", 4096) + "\r\n", "\x00\x01\x02\r\n",
			"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio nine UDP/TLS/RTP/SAVPF 111\r\n",
		},
		rowLineEnd: {strings.TrimRight(good, "\r\n")},
		rowNoUfrag: {withoutLines(good, "a=ice-ufrag")},
	}
}

// subtlyBadSDPs have all that the schema looks for, and cannot be parsed.
func subtlyBadSDPs(good string) []string {
	return []string{
		strings.Replace(good, "m=audio 9 ", "m=audio nine ", 1),
		strings.Replace(good, "m=audio 9 ", "m=audio ", 1),
		strings.Replace(good, "t=0 0\r\n", "t=now\r\n", 1),
		strings.Replace(good, "\r\na=ice-ufrag", "\r\nnonsense\r\na=ice-ufrag", 1),
	}
}

// refuseBadSDPs posts every bad form of a good SDP, whose first section is audio, in the request that with makes of
// it; with says so where the schema cannot see the fault.
func (t *T) refuseBadSDPs(ctx context.Context, good string, with func(sdp string) call) {
	for row, list := range inOrder(badSDPs(good)) {
		for _, sdp := range list {
			c := with(sdp)
			if c.Blind == "" {
				c.Malformed = "bad SDP"
			}
			t.do(ctx, c).wantError(row).wantFields("errorCode", "errorDescription")
		}
	}
	for _, sdp := range subtlyBadSDPs(good) {
		c := with(sdp)
		c.Blind = "the schema does not parse the SDP"
		t.do(ctx, c).wantError(rowUnparsable)
	}
}

func sessionNewBadSDP(ctx context.Context, t *T) {
	peer := t.peer(sfutest.Config{})
	_, err := peer.Publish(mic().Track)
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	t.refuseBadSDPs(ctx, offer, func(sdp string) call {
		return call{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{offerOf(sdp)}}
	})
}
