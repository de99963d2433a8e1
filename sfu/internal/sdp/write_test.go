package sdp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTextIsTheRecordedShape(t *testing.T) {
	pwd := strings.Repeat("p", 32)
	d := &Description{
		Bundle: []string{"1", "2", "3"},
		Media: []Media{
			{Kind: "audio", Protocol: "UDP/TLS/RTP/SAVPF", Mid: "0", Rejected: true, Codecs: []Codec{{PT: 111, Name: "opus", Clock: 48000}}},
			{
				Kind: "video", Protocol: "UDP/TLS/RTP/SAVPF", Mid: "1", Ufrag: "ufrag", Pwd: pwd, Setup: "actpass", Sends: true,
				Codecs: []Codec{
					{PT: 125, Name: "H264", Clock: 90000, Parameter: "packetization-mode=1", Feedback: []string{"goog-remb", "nack", "nack pli"}, RTX: 37},
					{PT: 96, Name: "VP8", Clock: 90000},
				},
				Extensions: []Extension{{ID: 2, URI: "urn:a"}, {ID: 4, URI: "urn:b"}},
				Sources:    []Source{{SSRC: 7, RTX: 8}}, CName: "stream", MSID: "stream track",
			},
			{
				Kind: "video", Protocol: "UDP/TLS/RTP/SAVPF", Mid: "2", Ufrag: "ufrag", Pwd: pwd, Setup: "actpass", Receives: true,
				Codecs: []Codec{{PT: 100, Name: "VP8", Clock: 90000, RTX: 101}}, RIDs: []string{"f", "h"}, RIDsReceived: true,
			},
			{
				Kind: "audio", Protocol: "UDP/TLS/RTP/SAVPF", Mid: "3", Ufrag: "ufrag", Pwd: pwd, Setup: "passive",
				Codecs: []Codec{{PT: 111, Name: "opus", Clock: 48000, Channels: 2}, {PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}},
			},
			{Kind: "application", Protocol: "UDP/DTLS/SCTP", Mid: "4", Rejected: true},
			{Kind: "video", Protocol: "UDP/TLS/RTP/SAVPF", Mid: "5", Rejected: true},
		},
	}
	got := d.Text(Session{ID: 42, Version: 43, Lite: true, Fingerprint: "sha-256 AA:BB", Candidates: []string{"candidate:1 x", "candidate:2 y"}})
	want := []string{
		"v=0",
		"o=- 42 43 IN IP4 0.0.0.0",
		"s=-",
		"t=0 0",
		"a=msid-semantic:WMS*",
		"a=fingerprint:sha-256 AA:BB",
		"a=ice-lite",
		"a=extmap-allow-mixed",
		"a=group:BUNDLE 1 2 3",

		"m=audio 0 UDP/TLS/RTP/SAVPF 0",
		"c=IN IP4 0.0.0.0",
		"a=mid:0",
		"a=inactive",

		"m=video 9 UDP/TLS/RTP/SAVPF 125 37 96",
		"c=IN IP4 0.0.0.0",
		"a=setup:actpass",
		"a=mid:1",
		"a=ice-ufrag:ufrag",
		"a=ice-pwd:" + pwd,
		"a=rtcp-mux",
		"a=rtcp-rsize",
		"a=rtpmap:125 H264/90000",
		"a=fmtp:125 packetization-mode=1",
		"a=rtcp-fb:125 goog-remb",
		"a=rtcp-fb:125 nack",
		"a=rtcp-fb:125 nack pli",
		"a=rtpmap:37 rtx/90000",
		"a=fmtp:37 apt=125",
		"a=rtpmap:96 VP8/90000",
		"a=extmap:2 urn:a",
		"a=extmap:4 urn:b",
		"a=msid:stream track",
		"a=ssrc-group:FID 7 8",
		"a=ssrc:7 cname:stream",
		"a=ssrc:7 msid:stream track",
		"a=ssrc:8 cname:stream",
		"a=ssrc:8 msid:stream track",
		"a=sendonly",
		"a=candidate:1 x",
		"a=candidate:2 y",
		"a=end-of-candidates",

		"m=video 9 UDP/TLS/RTP/SAVPF 100 101",
		"c=IN IP4 0.0.0.0",
		"a=setup:actpass",
		"a=mid:2",
		"a=ice-ufrag:ufrag",
		"a=ice-pwd:" + pwd,
		"a=rtcp-mux",
		"a=rtcp-rsize",
		"a=rtpmap:100 VP8/90000",
		"a=rtpmap:101 rtx/90000",
		"a=fmtp:101 apt=100",
		"a=rid:f recv",
		"a=rid:h recv",
		"a=simulcast:recv f;h",
		"a=recvonly",

		"m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
		"c=IN IP4 0.0.0.0",
		"a=setup:passive",
		"a=mid:3",
		"a=ice-ufrag:ufrag",
		"a=ice-pwd:" + pwd,
		"a=rtcp-mux",
		"a=rtcp-rsize",
		"a=rtpmap:111 opus/48000/2",
		"a=rtpmap:0 PCMU/8000",
		"a=inactive",

		"m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
		"c=IN IP4 0.0.0.0",
		"a=mid:4",
		"a=inactive",

		"m=video 0 UDP/TLS/RTP/SAVPF 0",
		"c=IN IP4 0.0.0.0",
		"a=mid:5",
		"a=inactive",
	}
	if !strings.HasSuffix(got, "\r\n") || strings.Count(got, "\n") != strings.Count(got, "\r\n") {
		t.Error("lines do not all end with CRLF")
	}
	lines := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
	for i := range max(len(lines), len(want)) {
		var g, w string
		if i < len(lines) {
			g = lines[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("line %d is %q, want %q", i+1, g, w)
		}
	}
}

func TestTextWithoutLiveSections(t *testing.T) {
	d := &Description{Media: []Media{{Kind: "audio", Protocol: "UDP/TLS/RTP/SAVPF", Mid: "0", Rejected: true}}}
	got := d.Text(Session{Fingerprint: fingerprint(), Candidates: []string{"candidate:1 x"}})
	if strings.Contains(got, "candidate") || strings.Contains(got, "BUNDLE") || strings.Contains(got, "ice-ufrag") {
		t.Errorf("a description that is rejected whole has no transport:\n%s", got)
	}
}

func TestTag(t *testing.T) {
	media := []Media{{Mid: "a", Rejected: true}, {Mid: "b"}, {Mid: "c"}}
	for _, tc := range []struct {
		bundle []string
		want   string
	}{
		{[]string{"c", "b"}, "c"},
		{[]string{"a", "c"}, "c"},
		{[]string{"x"}, "b"},
		{nil, "b"},
	} {
		if got := (&Description{Bundle: tc.bundle, Media: media}).Tag(); got != tc.want {
			t.Errorf("tag of bundle %v is %q, want %q", tc.bundle, got, tc.want)
		}
	}
	if got := (&Description{Media: media[:1]}).Tag(); got != "" {
		t.Errorf("tag without live sections is %q", got)
	}
}

// TestParseReadsWhatTextWrites: nothing that both know is lost on the way.
func TestParseReadsWhatTextWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Session{ID: rapid.Uint64().Draw(t, "id") >> 2, Version: rapid.Uint64().Draw(t, "version") >> 2, Fingerprint: fingerprint(),
			Candidates: []string{"candidate:1 1 udp 2130706431 127.0.0.1 1473 typ host"}}
		var d Description
		for i := range rapid.IntRange(1, 6).Draw(t, "sections") {
			m := drawMedia(t, i)
			m.Fingerprint = s.Fingerprint
			d.Media = append(d.Media, m)
		}
		d.Bundle = d.Live()
		got, err := Parse(d.Text(s))
		if err != nil {
			t.Fatalf("%v\n%s", err, d.Text(s))
		}
		if !slices.Equal(got.Bundle, d.Bundle) || len(got.Media) != len(d.Media) {
			t.Fatalf("bundle %v, %d sections, want %v, %d", got.Bundle, len(got.Media), d.Bundle, len(d.Media))
		}
		for i := range d.Media {
			g, w := got.Media[i], d.Media[i]
			g.Candidates = nil // written of the Session, not of the section
			if w.Rejected {
				if g.Mid != w.Mid || !g.Rejected || g.Kind != w.Kind {
					t.Fatalf("rejected section %+v, want %+v", g, w)
				}
				continue
			}
			if !reflect.DeepEqual(g, w) {
				t.Fatalf("section %d\n%+v, want\n%+v\n%s", i, g, w, d.Text(s))
			}
		}
	})
}

// drawMedia makes a section of which Text writes everything.
func drawMedia(t *rapid.T, i int) Media {
	m := Media{
		Kind: rapid.SampledFrom([]string{"audio", "video"}).Draw(t, "kind"), Protocol: "UDP/TLS/RTP/SAVPF",
		Mid:      fmt.Sprint(rapid.StringMatching(`[a-z0-9]{1,4}`).Draw(t, "mid"), "-", i),
		Rejected: rapid.IntRange(0, 4).Draw(t, "rejected") == 0,
	}
	if m.Rejected {
		return m
	}
	m.Ufrag = rapid.StringMatching(`[A-Za-z0-9+/]{4,16}`).Draw(t, "ufrag")
	m.Pwd = rapid.StringMatching(`[A-Za-z0-9+/]{22,32}`).Draw(t, "pwd")
	m.Setup = rapid.SampledFrom([]string{"actpass", "active", "passive"}).Draw(t, "setup")
	m.Sends, m.Receives = rapid.Bool().Draw(t, "sends"), rapid.Bool().Draw(t, "receives")
	pts := rapid.SliceOfNDistinct(rapid.Uint8Range(1, 127), 2, 12, rapid.ID).Draw(t, "payload types")
	for len(pts) > 1 {
		c := Codec{
			PT: pts[0], Name: rapid.SampledFrom([]string{"VP8", "H264", "AV1", "x-y"}).Draw(t, "name"), Clock: rapid.Uint32Range(1, 1<<31).Draw(t, "clock"),
			Channels: rapid.SampledFrom([]int{0, 2, 6}).Draw(t, "channels"), Parameter: rapid.SampledFrom([]string{"", "a=b;c=d", "profile-id=0"}).Draw(t, "parameter"),
			Feedback: rapid.SampledFrom([][]string{nil, {"nack"}, {"nack", "nack pli", "goog-remb"}}).Draw(t, "feedback"),
		}
		pts = pts[1:]
		if rapid.Bool().Draw(t, "rtx") {
			c.RTX, pts = pts[0], pts[1:]
		}
		m.Codecs = append(m.Codecs, c)
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.Uint8Range(1, 14), 0, 5, rapid.ID).Draw(t, "extensions") {
		m.Extensions = append(m.Extensions, Extension{ID: id, URI: fmt.Sprint("urn:example:", id)})
	}
	m.RIDs = rapid.SampledFrom([][]string{nil, {"a"}, {"f", "h", "q"}}).Draw(t, "rids")
	ssrcs := rapid.SliceOfNDistinct(rapid.Uint32Min(1), 0, 4, rapid.ID).Draw(t, "ssrcs")
	if len(ssrcs) > 0 {
		m.CName, m.MSID = "stream", "stream track"
	}
	for len(ssrcs) > 0 {
		src := Source{SSRC: ssrcs[0]}
		ssrcs = ssrcs[1:]
		if len(ssrcs) > 0 && rapid.Bool().Draw(t, "repaired") {
			src.RTX, ssrcs = ssrcs[0], ssrcs[1:]
		}
		m.Sources = append(m.Sources, src)
	}
	return m
}
