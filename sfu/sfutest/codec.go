package sfutest

import (
	"fmt"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// Codec is a codec by the name that SDP gives it (contract 3.2).
type Codec string

// The codecs of contract 3.2.
const (
	Opus Codec = "opus"
	PCMU Codec = "PCMU"
	PCMA Codec = "PCMA"
	VP8  Codec = "VP8"
	VP9  Codec = "VP9"
	H264 Codec = "H264"
	H265 Codec = "H265"
	AV1  Codec = "AV1"
)

// AllCodecs lists every codec in the order in which a peer offers them.
func AllCodecs() []Codec {
	return []Codec{Opus, PCMU, PCMA, VP8, VP9, H264, H265, AV1}
}

// codecInfo is what a peer registers; the payload types are Chromium's, which differ from those of SFU offers.
type codecInfo struct {
	codec     Codec
	clockRate uint32
	channels  uint16
	fmtp      string
	payload   webrtc.PayloadType
	rtx       webrtc.PayloadType
	interval  time.Duration
	size      int
	perFrame  int
}

func codecTable() []codecInfo {
	const videoEvery = time.Second / 25
	return []codecInfo{
		{Opus, 48000, 2, "minptime=10;useinbandfec=1", 111, 0, 20 * time.Millisecond, 110, 1},
		{PCMU, 8000, 0, "", 0, 0, 20 * time.Millisecond, 160, 1},
		{PCMA, 8000, 0, "", 8, 0, 20 * time.Millisecond, 160, 1},
		{VP8, 90000, 0, "", 96, 97, videoEvery, 900, 3},
		{VP9, 90000, 0, "profile-id=0", 98, 99, videoEvery, 900, 3},
		{H264, 90000, 0, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 102, 103, videoEvery, 900, 3},
		{H265, 90000, 0, "", 104, 105, videoEvery, 900, 3},
		{AV1, 90000, 0, "", 39, 40, videoEvery, 900, 3},
	}
}

func (c Codec) info() (codecInfo, error) {
	for _, row := range codecTable() {
		if row.codec == c {
			return row, nil
		}
	}
	return codecInfo{}, fmt.Errorf("sfutest: unknown codec %q", string(c))
}

func (c codecInfo) kind() webrtc.RTPCodecType {
	if c.clockRate == 90000 {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

func (c codecInfo) parameters() webrtc.RTPCodecParameters {
	p := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    c.kind().String() + "/" + string(c.codec),
			ClockRate:   c.clockRate,
			Channels:    c.channels,
			SDPFmtpLine: c.fmtp,
		},
		PayloadType: c.payload,
	}
	if c.kind() == webrtc.RTPCodecTypeVideo {
		p.RTCPFeedback = []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
	}
	return p
}

func (c codecInfo) rtxParameters() webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    webrtc.MimeTypeRTX,
			ClockRate:   c.clockRate,
			SDPFmtpLine: fmt.Sprintf("apt=%d", c.payload),
		},
		PayloadType: c.rtx,
	}
}

// preferences is the list for a transceiver that sends only this codec.
func (c codecInfo) preferences(withRTX bool) []webrtc.RTPCodecParameters {
	list := []webrtc.RTPCodecParameters{c.parameters()}
	if withRTX && c.rtx != 0 {
		list = append(list, c.rtxParameters())
	}
	return list
}

// mediaEngine registers the codecs of cfg and the header extensions that a browser offers.
func mediaEngine(cfg Config) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	for _, codec := range cfg.Codecs {
		info, err := codec.info()
		if err != nil {
			return nil, err
		}
		for _, p := range info.preferences(!cfg.WithoutRTX) {
			if err := m.RegisterCodec(p, info.kind()); err != nil {
				return nil, fmt.Errorf("sfutest: codec %s: %w", codec, err)
			}
		}
	}
	return m, registerExtensions(m, cfg.ExtensionShift)
}

// Header extensions of every peer; the audio level is the one whose value a test can check.
const (
	midURI        = "urn:ietf:params:rtp-hdrext:sdes:mid"
	ridURI        = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	repairedURI   = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
	audioLevelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	absTimeURI    = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
)

func registerExtensions(m *webrtc.MediaEngine, shift int) error {
	uris := make([]string, 0, shift+5)
	for i := range shift {
		uris = append(uris, fmt.Sprintf("urn:example:callsemu:unused-%d", i))
	}
	uris = append(uris, midURI, ridURI, repairedURI, audioLevelURI, absTimeURI)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, uri := range uris {
			if kind == webrtc.RTPCodecTypeVideo && uri == audioLevelURI {
				continue
			}
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return fmt.Errorf("sfutest: header extension %s: %w", uri, err)
			}
		}
	}
	return nil
}

// codecOfMime is the Codec of a mime type like "video/VP8", "" for one that this package does not know.
func codecOfMime(mime string) Codec {
	for _, row := range codecTable() {
		if strings.EqualFold(row.parameters().MimeType, mime) {
			return row.codec
		}
	}
	return ""
}
