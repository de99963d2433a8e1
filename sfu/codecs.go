package sfu

import (
	"strings"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// RTP header extensions that the SFU understands (contract 3.1, "Header extensions").
const (
	extMid          = "urn:ietf:params:rtp-hdrext:sdes:mid"                                       // RFC 8843
	extRID          = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"                             // RFC 8852
	extRepairedRID  = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"                    // RFC 8852
	extTransportCC  = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" // libwebrtc
	extAbsSendTime  = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"                // libwebrtc
	extAudioLevel   = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"                               // RFC 6464
	fbTransportCC   = "transport-cc"
	fbREMB          = "goog-remb"
	fbNACK          = "nack"
	fbPLI           = "nack pli"
	fbFIR           = "ccm fir"
	h264Parameter   = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034"
	maxPayloadType  = 127
	firstDynamic    = 96
	firstLowDynamic = 35 // RFC 8843 section 10.1.2: 35 to 63 are free when RTP and RTCP share a port
	lastLowDynamic  = 63
)

// Kind is the media type of an m-line.
type Kind string

// The kinds of m-lines.
const (
	KindAudio Kind = "audio"
	KindVideo Kind = "video"
	KindData  Kind = "application"
)

// offered lists what the SFU offers for a kind, with the recorded payload types (contract 3.2).
func offered(kind Kind) []sdp.Codec {
	if kind == KindAudio {
		return []sdp.Codec{
			{PT: 111, Name: "opus", Clock: 48000, Channels: 2, Parameter: "minptime=10;useinbandfec=1"},
			{PT: 0, Name: "PCMU", Clock: 8000},
			{PT: 8, Name: "PCMA", Clock: 8000},
		}
	}
	return []sdp.Codec{
		{PT: 125, Name: "H264", Clock: 90000, Parameter: h264Parameter, RTX: 37},
		{PT: 98, Name: "VP9", Clock: 90000, Parameter: "profile-id=0", RTX: 36},
		{PT: 96, Name: "VP8", Clock: 90000, RTX: 35},
		{PT: 116, Name: "H265", Clock: 90000, RTX: 117},
		{PT: 45, Name: "AV1", Clock: 90000, RTX: 46},
	}
}

// supported reports whether the SFU forwards c.
func supported(kind Kind, c sdp.Codec) bool {
	for _, o := range offered(kind) {
		if c.Is(o.Name) && c.Clock == o.Clock {
			return true
		}
	}
	return false
}

// accepted picks from an endpoint's codecs those that it may send: every audio codec that is known, but one video codec
// only, the first that is known, with its rtx (contract 3.2, push answers).
func accepted(kind Kind, list []sdp.Codec) []sdp.Codec {
	var out []sdp.Codec
	for _, c := range list {
		if !supported(kind, c) {
			continue
		}
		if kind == KindAudio && has(out, c.Name) {
			continue
		}
		c.Feedback = common(c.Feedback, pushFeedback(kind)...)
		out = append(out, c)
		if kind == KindVideo {
			break
		}
	}
	return out
}

// known picks from an endpoint's codecs all that the SFU knows, with what it and the endpoint can do of feedback.
func known(kind Kind, list []sdp.Codec, feedback []string) []sdp.Codec {
	var out []sdp.Codec
	for _, c := range list {
		if !supported(kind, c) || has(out, c.Name) {
			continue
		}
		c.Feedback = common(c.Feedback, feedback...)
		out = append(out, c)
	}
	return out
}

// receivable picks from an endpoint's codecs all that the SFU may send it.
func receivable(kind Kind, list []sdp.Codec) []sdp.Codec {
	return known(kind, list, pullFeedback(kind))
}

// names lists, in the SFU's own spelling, the known ones of an endpoint's codecs.
func names(kind Kind, list []sdp.Codec) []string {
	var out []string
	for _, o := range offered(kind) {
		if has(list, o.Name) {
			out = append(out, o.Name)
		}
	}
	return out
}

// pushFeedback and pullFeedback are the RTCP feedback of the two directions (contract 3.1).
func pushFeedback(kind Kind) []string {
	if kind == KindAudio {
		return []string{fbTransportCC}
	}
	return []string{fbTransportCC, fbNACK, fbPLI, fbFIR}
}

func pullFeedback(kind Kind) []string {
	if kind == KindAudio {
		return []string{fbREMB}
	}
	return []string{fbREMB, fbNACK, fbPLI, fbFIR}
}

func has(list []sdp.Codec, name string) bool {
	for _, c := range list {
		if c.Is(name) {
			return true
		}
	}
	return false
}

// common keeps of theirs what is in ours.
func common(theirs []string, ours ...string) []string {
	var out []string
	for _, o := range ours {
		for _, t := range theirs {
			if t == o {
				out = append(out, o)
				break
			}
		}
	}
	return out
}

// pushExtensions and pullExtensions are what the SFU takes from a publisher and what it sends to a subscriber. Towards a
// subscriber there is never transport-cc: Chromium sends no REMB once that is agreed (contract 3.1).
func pushExtensions(kind Kind) []sdp.Extension {
	if kind == KindAudio {
		return []sdp.Extension{{ID: 1, URI: extAudioLevel}, {ID: 2, URI: extAbsSendTime}, {ID: 3, URI: extTransportCC}, {ID: 4, URI: extMid}}
	}
	return []sdp.Extension{{ID: 2, URI: extAbsSendTime}, {ID: 3, URI: extTransportCC}, {ID: 4, URI: extMid}, {ID: 10, URI: extRID}, {ID: 11, URI: extRepairedRID}}
}

func pullExtensions(kind Kind) []sdp.Extension {
	if kind == KindAudio {
		return []sdp.Extension{{ID: 1, URI: extAudioLevel}, {ID: 2, URI: extAbsSendTime}}
	}
	return []sdp.Extension{{ID: 2, URI: extAbsSendTime}}
}

// sharedExtensions keeps of theirs what is in ours, with their ids.
func sharedExtensions(theirs, ours []sdp.Extension) []sdp.Extension {
	var out []sdp.Extension
	for _, t := range theirs {
		for _, o := range ours {
			if t.URI == o.URI {
				out = append(out, t)
				break
			}
		}
	}
	return out
}

// numbers remembers which payload types and extension ids a session has given a meaning. In one BUNDLE group a number
// means one thing (RFC 8843 section 9.1), and Chromium refuses a description that breaks this.
type numbers struct {
	formats    map[uint8]sdp.Codec // by payload type; rtx formats have the name "rtx"
	extensions map[string]uint8    // by URI, of those that the SFU knows
	ids        [16]bool            // extension ids with a meaning
}

func newNumbers() numbers {
	return numbers{formats: map[uint8]sdp.Codec{}, extensions: map[string]uint8{}}
}

// learn takes over the numbers of an endpoint's description.
func (n *numbers) learn(d *sdp.Description) {
	for i := range d.Media {
		for _, c := range d.Media[i].Codecs {
			n.use(c)
		}
		for _, e := range d.Media[i].Extensions {
			n.ids[e.ID&0x0f] = true
			if isKnownExtension(e.URI) {
				n.extensions[e.URI] = e.ID
			}
		}
	}
}

func (n *numbers) use(c sdp.Codec) {
	c.Feedback = nil
	n.formats[c.PT] = c
	if c.RTX != 0 {
		n.formats[c.RTX] = sdp.Codec{PT: c.RTX, Name: "rtx"}
	}
}

// assign gives c, one of the codecs that the SFU offers, the numbers and parameters that the session already has for it,
// else its own where they are free, else free ones.
func (n *numbers) assign(c sdp.Codec) sdp.Codec {
	for pt := 0; pt <= maxPayloadType; pt++ {
		if known, ok := n.formats[uint8(pt)]; ok && interchangeable(known, c) {
			c.PT, c.RTX, c.Parameter = known.PT, known.RTX, known.Parameter
			return c
		}
	}
	if _, taken := n.formats[c.PT]; taken {
		if c.PT = n.free(); c.PT == 0 {
			return c // every number has a meaning: the caller leaves the codec out
		}
	}
	n.formats[c.PT] = c
	if c.RTX != 0 {
		if _, taken := n.formats[c.RTX]; taken {
			c.RTX = n.free()
		}
	}
	n.use(c)
	return c
}

// interchangeable: the same codec in a form that the SFU would offer.
func interchangeable(known, c sdp.Codec) bool {
	if !known.Is(c.Name) || known.Clock != c.Clock {
		return false
	}
	switch {
	case c.Is("H264"):
		return strings.Contains(known.Parameter, "packetization-mode=1") && strings.Contains(known.Parameter, "profile-level-id=42")
	case c.Is("VP9"):
		return !strings.Contains(known.Parameter, "profile-id=") || strings.Contains(known.Parameter, "profile-id=0")
	}
	return true
}

func (n *numbers) free() uint8 {
	for pt := maxPayloadType; pt >= firstDynamic; pt-- {
		if _, taken := n.formats[uint8(pt)]; !taken {
			return uint8(pt)
		}
	}
	for pt := firstLowDynamic; pt <= lastLowDynamic; pt++ {
		if _, taken := n.formats[uint8(pt)]; !taken {
			return uint8(pt)
		}
	}
	return 0 // every number is taken: the caller leaves the format out
}

// assignExtensions gives each extension the id that the session already has for it, or a free one.
func (n *numbers) assignExtensions(list []sdp.Extension) []sdp.Extension {
	var out []sdp.Extension
	for _, e := range list {
		if id, known := n.extensions[e.URI]; known {
			e.ID = id
		} else if n.taken(e.ID) {
			e.ID = n.freeExtension()
		}
		if e.ID == 0 {
			continue
		}
		n.extensions[e.URI], n.ids[e.ID] = e.ID, true
		out = append(out, e)
	}
	return out
}

func (n *numbers) taken(id uint8) bool { return n.ids[id&0x0f] }

func isKnownExtension(uri string) bool {
	switch uri {
	case extMid, extRID, extRepairedRID, extTransportCC, extAbsSendTime, extAudioLevel:
		return true
	}
	return false
}

func (n *numbers) freeExtension() uint8 {
	for id := uint8(1); id <= 14; id++ {
		if !n.taken(id) {
			return id
		}
	}
	return 0
}
