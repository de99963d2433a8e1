package sdp

import (
	"fmt"
	"slices"
	"strings"
)

// Session is what the SFU's descriptions have at session level (contract 3.1).
type Session struct {
	ID          uint64 // the same for the life of a session
	Version     uint64 // rises with every description
	Fingerprint string
	Lite        bool     // ICE-lite: endpoints send the checks
	Candidates  []string // "candidate:..." lines, in the order of preference
}

// Text writes the description as the SFU sends it. Candidates stand in the first m-section that is not rejected: the
// section that carries the BUNDLE transport.
func (d *Description) Text(s Session) string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\r\n", a...) }
	line("v=0")
	line("o=- %d %d IN IP4 0.0.0.0", s.ID, s.Version)
	line("s=-")
	line("t=0 0")
	line("a=msid-semantic:WMS*")
	line("a=fingerprint:%s", s.Fingerprint)
	if s.Lite {
		line("a=ice-lite")
	}
	line("a=extmap-allow-mixed")
	if len(d.Bundle) > 0 {
		line("a=group:BUNDLE %s", strings.Join(d.Bundle, " "))
	}
	candidates := s.Candidates
	for i := range d.Media {
		m := &d.Media[i]
		if m.Rejected {
			writeRejected(line, m)
			continue
		}
		if m.Kind == "application" {
			writeData(line, m)
		} else {
			writeMedia(line, m)
		}
		if candidates != nil {
			for _, c := range candidates {
				line("a=%s", c)
			}
			line("a=end-of-candidates")
			candidates = nil
		}
	}
	return b.String()
}

func writeRejected(line func(string, ...any), m *Media) {
	formats := "0" // a static payload type: others would need an rtpmap, which pion's clients look for
	if m.Kind == "application" {
		formats = "webrtc-datachannel"
	}
	line("m=%s 0 %s %s", m.Kind, m.Protocol, formats)
	line("c=IN IP4 0.0.0.0")
	line("a=mid:%s", m.Mid)
	line("a=inactive")
}

// writeData writes the section of the data channels (contract 4.1, RFC 8841).
func writeData(line func(string, ...any), m *Media) {
	writeTransport(line, m, "webrtc-datachannel")
	line("a=sctp-port:5000")
	line("a=max-message-size:%d", m.MaxMessage)
	line("a=sendrecv")
}

// writeTransport writes what all live sections begin with.
func writeTransport(line func(string, ...any), m *Media, formats string) {
	line("m=%s 9 %s %s", m.Kind, m.Protocol, formats)
	line("c=IN IP4 0.0.0.0")
	line("a=setup:%s", m.Setup)
	line("a=mid:%s", m.Mid)
	line("a=ice-ufrag:%s", m.Ufrag)
	line("a=ice-pwd:%s", m.Pwd)
}

func writeMedia(line func(string, ...any), m *Media) {
	writeTransport(line, m, formats(m))
	line("a=rtcp-mux")
	line("a=rtcp-rsize")
	for _, c := range m.Codecs {
		writeCodec(line, c)
	}
	for _, e := range m.Extensions {
		line("a=extmap:%d %s", e.ID, e.URI)
	}
	way := "send"
	if m.RIDsReceived {
		way = "recv"
	}
	for _, rid := range m.RIDs {
		line("a=rid:%s %s", rid, way)
	}
	if len(m.RIDs) > 0 {
		line("a=simulcast:%s %s", way, strings.Join(m.RIDs, ";"))
	}
	writeSources(line, m)
	line("a=%s", m.Direction())
}

func formats(m *Media) string {
	var out []string
	for _, c := range m.Codecs {
		out = append(out, fmt.Sprint(c.PT))
		if c.RTX != 0 {
			out = append(out, fmt.Sprint(c.RTX))
		}
	}
	return strings.Join(out, " ")
}

func writeCodec(line func(string, ...any), c Codec) {
	channels := ""
	if c.Channels > 1 {
		channels = fmt.Sprintf("/%d", c.Channels)
	}
	line("a=rtpmap:%d %s/%d%s", c.PT, c.Name, c.Clock, channels)
	if c.Parameter != "" {
		line("a=fmtp:%d %s", c.PT, c.Parameter)
	}
	for _, fb := range c.Feedback {
		line("a=rtcp-fb:%d %s", c.PT, fb)
	}
	if c.RTX != 0 {
		line("a=rtpmap:%d rtx/%d", c.RTX, c.Clock)
		line("a=fmtp:%d apt=%d", c.RTX, c.PT)
	}
}

// writeSources announces what the SFU sends: the recorded cname and msid lines, msid once more at media level, where
// Firefox looks for it, and the retransmission's SSRC.
func writeSources(line func(string, ...any), m *Media) {
	if len(m.Sources) == 0 {
		return
	}
	line("a=msid:%s", m.MSID)
	for _, s := range m.Sources {
		ssrcs := []uint32{s.SSRC}
		if s.RTX != 0 {
			line("a=ssrc-group:FID %d %d", s.SSRC, s.RTX)
			ssrcs = append(ssrcs, s.RTX)
		}
		for _, ssrc := range ssrcs {
			line("a=ssrc:%d cname:%s", ssrc, m.CName)
			line("a=ssrc:%d msid:%s", ssrc, m.MSID)
		}
	}
}

// Direction is the attribute for Sends and Receives.
func (m *Media) Direction() string {
	switch {
	case m.Sends && m.Receives:
		return "sendrecv"
	case m.Sends:
		return "sendonly"
	case m.Receives:
		return "recvonly"
	}
	return "inactive"
}

// Live lists the mids of the sections that are not rejected.
func (d *Description) Live() []string {
	var mids []string
	for i := range d.Media {
		if !d.Media[i].Rejected {
			mids = append(mids, d.Media[i].Mid)
		}
	}
	return mids
}

// Tag is the mid of the section that carries the BUNDLE transport: the first of the group, else the first live section.
func (d *Description) Tag() string {
	live := d.Live()
	for _, mid := range d.Bundle {
		if slices.Contains(live, mid) {
			return mid
		}
	}
	if len(live) > 0 {
		return live[0]
	}
	return ""
}
