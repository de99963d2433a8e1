package sdp

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fingerprint is that of no certificate.
func fingerprint() string { return "sha-256 " + strings.TrimSuffix(strings.Repeat("0F:", 32), ":") }

// text ends every line as SDP does.
func text(lines ...string) string {
	return strings.ReplaceAll(strings.Join(lines, "\n"), "\n", "\r\n") + "\r\n"
}

const head = "v=0\no=- 4611731400430051336 2 IN IP4 127.0.0.1\ns=-\nt=0 0"

// credentials are the transport lines of a section.
func credentials(ufrag string) string {
	return "a=ice-ufrag:" + ufrag + "\na=ice-pwd:" + strings.Repeat("p", 24) + "\na=fingerprint:" + fingerprint() + "\na=setup:actpass"
}

// chromium is an offer in Chromium's manner: everything in every section, ids up to the two-byte form.
func chromium() string {
	return text(head, "a=group:BUNDLE 0 1", "a=extmap-allow-mixed", "a=msid-semantic: WMS stream",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
		credentials("abcd"), "a=ice-options:trickle", "a=mid:0",
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
		"a=extmap:4/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid",
		"a=extmap:15 urn:example:two-byte-only", "a=extmap:200/recvonly urn:example:two-byte-only-too",
		"a=sendonly", "a=msid:stream audio-track", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1",
		"a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:13 CN/8000", "a=rtpmap:110 telephone-event/48000", "a=ssrc:11 cname:c", "a=ssrc:11 msid:stream audio-track",
		"m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
		credentials("abcd"), "a=mid:1", "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
		"a=sendrecv", "a=msid:stream video-track", "a=rtcp-mux", "a=rtcp-rsize",
		"a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 goog-remb", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli",
		"a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
		"a=rtpmap:102 H264/90000", "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
		"a=rtpmap:103 rtx/90000", "a=fmtp:103 apt=102",
		"a=ssrc-group:FID 21 22", "a=ssrc:21 cname:c", "a=ssrc:21 msid:stream video-track", "a=ssrc:22 cname:c")
}

func mustParse(t *testing.T, s string) *Description {
	t.Helper()
	d, err := Parse(s)
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	return d
}

func TestParseChromium(t *testing.T) {
	d := mustParse(t, chromium())
	if !slices.Equal(d.Bundle, []string{"0", "1"}) || len(d.Media) != 2 {
		t.Fatalf("bundle %v with %d sections", d.Bundle, len(d.Media))
	}
	a, v := d.Media[0], d.Media[1]
	if a.Kind != "audio" || a.Protocol != "UDP/TLS/RTP/SAVPF" || a.Mid != "0" || a.Rejected || !a.Sends || a.Receives {
		t.Errorf("audio section: %+v", a)
	}
	if a.Ufrag != "abcd" || len(a.Pwd) != 24 || a.Fingerprint != fingerprint() || a.Setup != "actpass" || a.MSID != "stream audio-track" || a.CName != "c" {
		t.Errorf("audio transport: %+v", a)
	}
	if want := []Extension{{1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, {4, "urn:ietf:params:rtp-hdrext:sdes:mid"}}; !slices.Equal(a.Extensions, want) {
		t.Errorf("extensions %v, want %v: a direction is no part of the id, ids of the two-byte form are left out", a.Extensions, want)
	}
	if opus, ok := a.CodecByPT(111); !ok || !reflect.DeepEqual(opus, Codec{PT: 111, Name: "opus", Clock: 48000, Channels: 2,
		Parameter: "minptime=10;useinbandfec=1", Feedback: []string{"transport-cc"}}) {
		t.Errorf("opus: %+v", opus)
	}
	if want := []Source{{SSRC: 11}}; !slices.Equal(a.Sources, want) {
		t.Errorf("audio sources %v, want %v", a.Sources, want)
	}
	if !v.Sends || !v.Receives {
		t.Errorf("video direction: %+v", v)
	}
	want := []Codec{
		{PT: 96, Name: "VP8", Clock: 90000, Feedback: []string{"goog-remb", "nack", "nack pli"}, RTX: 97},
		{PT: 102, Name: "H264", Clock: 90000, Parameter: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", RTX: 103},
	}
	if !reflect.DeepEqual(v.Codecs, want) {
		t.Errorf("video codecs\n%+v, want\n%+v", v.Codecs, want)
	}
	if want := []Source{{SSRC: 21, RTX: 22}}; !slices.Equal(v.Sources, want) {
		t.Errorf("video sources %v, want %v", v.Sources, want)
	}
	if c, ok := v.CodecByName("vp8"); !ok || c.PT != 96 {
		t.Errorf("codec by name in another case: %+v", c)
	}
	if _, ok := v.CodecByName("AV1"); ok {
		t.Error("found a codec that is not there")
	}
	if v.ExtensionID(a.Extensions[0].URI) != 0 || a.ExtensionID(a.Extensions[0].URI) != 1 {
		t.Error("extension ids belong to their section")
	}
}

// TestParseFirefox: credentials at session level or in the first section of the bundle only, bundle-only, rtx with a time.
func TestParseFirefox(t *testing.T) {
	d := mustParse(t, text("v=0", "o=mozilla...THIS_IS_SDPARTA-99.0 5 0 IN IP4 0.0.0.0", "s=-", "t=0 0",
		credentials("session"), "a=group:BUNDLE {a} {b}", "a=ice-options:trickle", "a=msid-semantic:WMS *",
		"m=audio 0 UDP/TLS/RTP/SAVPF 109 9 0 8 101", "c=IN IP4 0.0.0.0", "a=bundle-only", "a=recvonly", "a=mid:{a}",
		"a=rtpmap:109 opus/48000/2", "a=rtpmap:101 telephone-event/8000/1", "a=setup:active", "a=ice-ufrag:own",
		"m=video 0 UDP/TLS/RTP/SAVPF 120 124 126 127", "c=IN IP4 0.0.0.0", "a=sendonly", "a=mid:{b}",
		"a=rtcp-fb:* nack", "a=rtcp-fb:120 ccm fir",
		"a=rtpmap:120 VP8/90000", "a=fmtp:120 max-fs=12288;max-fr=60", "a=rtpmap:124 rtx/90000", "a=fmtp:124 apt=120",
		"a=rtpmap:126 H264/90000", "a=rtpmap:127 rtx/90000", "a=fmtp:127 apt=126;rtx-time=3000"))
	a, v := d.Media[0], d.Media[1]
	if a.Rejected || a.Mid != "{a}" || a.Sends || !a.Receives {
		t.Errorf("port 0 with bundle-only is not rejected: %+v", a)
	}
	if a.Ufrag != "own" || a.Setup != "active" || a.Fingerprint != fingerprint() || len(a.Pwd) != 24 {
		t.Errorf("the section's own attributes go before the session's: %+v", a)
	}
	if !v.Rejected || v.Ufrag != "session" || v.Setup != "actpass" {
		t.Errorf("port 0 is rejected: %+v", v)
	}
	if c, _ := v.CodecByPT(120); !slices.Equal(c.Feedback, []string{"nack", "ccm fir"}) || c.RTX != 124 || c.Parameter != "max-fs=12288;max-fr=60" {
		t.Errorf("VP8 %+v", c)
	}
	if c, _ := v.CodecByPT(126); c.RTX != 127 {
		t.Errorf("rtx-time (RFC 4588 section 8.1) hides the rtx format: %+v", c)
	}
	for pt, name := range map[uint8]string{0: "PCMU", 8: "PCMA"} {
		if c, ok := a.CodecByPT(pt); !ok || c.Name != name || c.Clock != 8000 {
			t.Errorf("static payload type %d: %+v", pt, c)
		}
	}
	if _, ok := a.CodecByPT(9); ok {
		t.Error("a format of no known name is listed")
	}
}

// TestParsePion: session-level fingerprint, a data section, simulcast by rid, no direction.
func TestParsePion(t *testing.T) {
	d := mustParse(t, text(head, "a=msid-semantic:WMS*", "a=fingerprint:"+fingerprint(), "a=extmap-allow-mixed", "a=group:BUNDLE 0 1 2",
		"m=video 9 UDP/TLS/RTP/SAVPF 96 97", "c=IN IP4 0.0.0.0", "a=setup:actpass", "a=mid:0", "a=ice-ufrag:u", "a=ice-pwd:p",
		"a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
		"a=rid:f send", "a=rid:h send pt=96", "a=rid:q send", "a=rid:x recv", "a=simulcast:send f;h;q recv x", "a=sendonly",
		"m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=setup:actpass", "a=mid:1", "a=sendrecv", "a=sctp-port:5000", "a=ice-ufrag:u", "a=ice-pwd:p",
		"m=audio 9 UDP/TLS/RTP/SAVPF 8", "c=IN IP4 0.0.0.0", "a=setup:actpass", "a=mid:2", "a=ice-ufrag:u", "a=ice-pwd:p"))
	if got := d.Media[0]; !slices.Equal(got.RIDs, []string{"f", "h", "q"}) || got.Fingerprint != fingerprint() {
		t.Errorf("simulcast section %+v", got)
	}
	if got := d.Media[1]; got.Kind != "application" || got.Protocol != "UDP/DTLS/SCTP" || got.Mid != "1" || len(got.Codecs) != 0 {
		t.Errorf("data section %+v", got)
	}
	if got := d.Media[2]; !got.Sends || !got.Receives || len(got.Codecs) != 1 || got.Codecs[0].Name != "PCMA" {
		t.Errorf("a section without direction is sendrecv: %+v", got)
	}
}

func TestParseLineEnds(t *testing.T) {
	lf := strings.ReplaceAll(chromium(), "\r\n", "\n")
	if got, want := mustParse(t, lf), mustParse(t, chromium()); !reflect.DeepEqual(got, want) {
		t.Errorf("with bare LF\n%+v, want\n%+v", got, want)
	}
	for name, s := range map[string]string{
		"no last CRLF":  strings.TrimSuffix(chromium(), "\r\n"),
		"no last LF":    strings.TrimSuffix(lf, "\n"),
		"only a CR":     strings.TrimSuffix(chromium(), "\n"),
		"a single word": "v=0",
	} {
		if _, err := Parse(s); !errors.Is(err, ErrLineEnd) {
			t.Errorf("%s: %v, want ErrLineEnd", name, err)
		}
	}
}

// section is a minimal audio section, with more lines behind.
func section(mid string, more ...string) string {
	return strings.Join(append([]string{"m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:" + mid, "a=ice-ufrag:u", "a=ice-pwd:p",
		"a=rtpmap:111 opus/48000/2"}, more...), "\n")
}

func TestParseRefuses(t *testing.T) {
	many := make([]string, 0, maxMedia+2)
	many = append(many, head)
	for i := range maxMedia + 1 {
		many = append(many, section(fmt.Sprint("m", i)))
	}
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"nothing":                    {"", ErrSyntax},
		"empty lines":                {"\r\n\r\n", ErrSyntax},
		"no SDP":                     {"hello\r\n", ErrSyntax},
		"binary":                     {"v=0\r\no=\x00\xff\r\n", ErrSyntax},
		"no sections":                {text(head), ErrSyntax},
		"mid twice":                  {text(head, section("a"), section("b"), section("a")), ErrSyntax},
		"mid twice by default":       {text(head, section("1"), strings.Replace(section("x"), "a=mid:x\n", "", 1)), ErrSyntax},
		"too many sections":          {text(many...), ErrSyntax},
		"no ufrag":                   {text(head, strings.Replace(section("a"), "a=ice-ufrag:u\n", "", 1)), ErrNoUfrag},
		"no ufrag in the last":       {text(head, section("a"), strings.Replace(section("b"), "a=ice-ufrag:u\n", "", 1)), ErrNoUfrag},
		"a carriage return in a mid": {text(head, section("a\rb")), ErrSyntax},
		"a zero in a mid":            {text(head, section("a\x00b")), ErrSyntax},
		"a mid of two words":         {text(head, section("a b")), ErrSyntax},
		"payload type 128":           {text(head, strings.Replace(section("a"), "SAVPF 111", "SAVPF 128", 1)), ErrSyntax},
		"payload type in words":      {text(head, strings.Replace(section("a"), "SAVPF 111", "SAVPF opus", 1)), ErrSyntax},
		"rtpmap without clock":       {text(head, strings.Replace(section("a"), "opus/48000/2", "opus", 1)), ErrSyntax},
		"rtpmap with clock 0":        {text(head, strings.Replace(section("a"), "opus/48000/2", "opus/0", 1)), ErrSyntax},
		"rtpmap channels":            {text(head, strings.Replace(section("a"), "opus/48000/2", "opus/48000/two", 1)), ErrSyntax},
		"extmap without uri":         {text(head, section("a", "a=extmap:1")), ErrSyntax},
		"extmap without id":          {text(head, section("a", "a=extmap:x urn:x")), ErrSyntax},
		"ssrc in words":              {text(head, section("a", "a=ssrc:x cname:c")), ErrSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			if d, err := Parse(tc.text); !errors.Is(err, tc.want) {
				t.Errorf("got %v, %v, want %v", d, err, tc.want)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want func(*Description) bool
	}{
		"no mids: they count from 0": {
			text(head, strings.Replace(section("x"), "a=mid:x\n", "", 1), strings.Replace(section("x"), "a=mid:x\n", "", 1)),
			func(d *Description) bool { return d.Media[0].Mid == "0" && d.Media[1].Mid == "1" && d.Bundle == nil },
		},
		"a rejected section without credentials": {
			text(head, "m=video 0 UDP/TLS/RTP/SAVPF 0", "c=IN IP4 0.0.0.0", "a=mid:r", section("a")),
			func(d *Description) bool { return d.Media[0].Rejected && !d.Media[1].Rejected },
		},
		"credentials of the session": {
			text(head, "a=ice-ufrag:s", "a=ice-pwd:t", strings.Replace(section("a"), "a=ice-ufrag:u\n", "", 1)),
			func(d *Description) bool { return d.Media[0].Ufrag == "s" && d.Media[0].Pwd == "p" },
		},
		"inactive":                          {text(head, section("a", "a=inactive")), func(d *Description) bool { return !d.Media[0].Sends && !d.Media[0].Receives }},
		"direction of the session":          {text(head, "a=recvonly", section("a")), func(d *Description) bool { return !d.Media[0].Sends && d.Media[0].Receives }},
		"candidates":                        {text(head, section("a", "a=candidate:1 1 udp 2113937151 something.local 54400 typ host", "a=end-of-candidates")), func(d *Description) bool { return len(d.Media) == 1 }},
		"a payload type twice in one line":  {text(head, strings.Replace(section("a"), "SAVPF 111", "SAVPF 111 0 111 0", 1)), func(d *Description) bool { return len(d.Media[0].Codecs) == 2 }},
		"attributes of unlisted formats":    {text(head, section("a", "a=rtpmap:50 VP8/90000", "a=fmtp:50 x=y", "a=rtcp-fb:50 nack")), func(d *Description) bool { return len(d.Media[0].Codecs) == 1 }},
		"groups of other kinds":             {text(head, "a=group:LS a", "a=group:BUNDLE a", section("a", "a=ssrc-group:SIM 1 2 3", "a=ssrc-group:FID 1", "a=ssrc-group:FID x y")), func(d *Description) bool { return slices.Equal(d.Bundle, []string{"a"}) && d.Media[0].Sources == nil }},
		"rtx for a format that is not here": {text(head, strings.Replace(section("a", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"), "SAVPF 111", "SAVPF 111 97", 1)), func(d *Description) bool { return len(d.Media[0].Codecs) == 1 && d.Media[0].Codecs[0].RTX == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			if d := mustParse(t, tc.text); !tc.want(d) {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(chromium())
	f.Add(text(head, section("a", "a=rid:f send", "a=simulcast:send f", "a=ssrc-group:FID 1 2", "a=ssrc:1 cname:x")))
	f.Add("v=0\r\nm=\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			if d != nil {
				t.Fatal("both a description and an error")
			}
			for _, known := range []error{ErrSyntax, ErrLineEnd, ErrNoUfrag} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("an error of no kind: %v", err)
		}
		if len(d.Media) == 0 || len(d.Media) > maxMedia {
			t.Fatalf("%d sections", len(d.Media))
		}
		mids := map[string]bool{}
		for i := range d.Media {
			m := &d.Media[i]
			if m.Mid == "" || mids[m.Mid] || !m.Rejected && m.Ufrag == "" {
				t.Fatalf("section %d: %+v", i, m)
			}
			mids[m.Mid] = true
			for _, c := range m.Codecs {
				if c.Name == "" || c.PT > 127 || c.RTX > 127 || c.Is("rtx") {
					t.Fatalf("codec %+v", c)
				}
			}
		}
		_ = d.Text(Session{}) // whatever was read can be written
	})
}
