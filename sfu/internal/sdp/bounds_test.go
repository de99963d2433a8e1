package sdp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestHostileSectionKeepsLittle: what is kept of a section lives as long as the session, so it is bounded whatever the SDP.
func TestHostileSectionKeepsLittle(t *testing.T) {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=rtpmap:96 VP8/90000\r\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "a=rtcp-fb:* nack\r\na=rtcp-fb:96 junk%d\r\na=ssrc:%d cname:x\r\na=ssrc-group:FID %d %d\r\na=rid:r%d send\r\na=extmap:%d urn:%d\r\n",
			i, i+1, i, i+100_000, i, i%14+1, i)
	}
	d, err := Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	m := d.Media[0]
	if got := m.Codecs[0].Feedback; len(got) != 1 || got[0] != "nack" {
		t.Errorf("%d feedback values", len(got))
	}
	if len(m.Sources) > maxSources || len(m.RIDs) > maxRIDs || len(m.Extensions) > maxExtension {
		t.Errorf("%d sources, %d rids, %d extensions", len(m.Sources), len(m.RIDs), len(m.Extensions))
	}
}

func TestHugeAttributeIsRefused(t *testing.T) {
	text := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=rtpmap:96 VP8/90000\r\na=fmtp:96 " +
		strings.Repeat("x", 100_000) + "\r\n"
	if _, err := Parse(text); !errors.Is(err, ErrSyntax) {
		t.Fatalf("got %v", err)
	}
}
