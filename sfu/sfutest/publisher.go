package sfutest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Track says what a Publisher sends. Only Codec is required.
type Track struct {
	Codec      Codec
	Interval   time.Duration // between frames; default 20 ms audio, 40 ms video
	PerFrame   int           // packets per frame; default 1 audio, 3 video
	Size       int           // payload bytes; default 110 Opus, 160 G.711, 900 video; at least 100
	Silent     bool          // begin without sending
	Mid        string        // default: pion counts from 0
	AudioLevel uint8         // value of the audio level extension, audio only; 0 sends none
	KeyEvery   int           // frames between key frames that nobody asked for; 0 means only the first one
}

// PublisherStats is what a Publisher has done and been told. All counters only grow.
type PublisherStats struct {
	Packets       uint64 // sent for the first time
	Frames        uint64
	KeyFrames     uint64
	Withheld      uint64 // made, kept for retransmission, not sent
	PLIs          uint64
	FIRs          uint64
	NACKs         uint64 // sequence numbers asked for
	Retransmitted uint64
	REMBs         uint64
	TransportCCs  uint64
}

const historySize = 512

type sentPacket struct {
	header  rtp.Header
	payload []byte
}

// Publisher sends one track from the moment its Peer is connected until Close, Stop or the end of the connection.
type Publisher struct {
	peer   *Peer // fixed after construction, like the next five
	track  Track
	info   codecInfo
	id     string
	stream uint32
	trx    *webrtc.RTPTransceiver

	bell bell

	mu       sync.Mutex
	binding  *binding // nil before the answer and after Stop
	silent   bool
	withhold int
	wantKey  bool
	stats    PublisherStats
	history  [historySize]sentPacket
	packets  uint64
	seq      uint16
	rtxSeq   uint16
	baseTS   uint32
	started  time.Time
	frame    uint64
	pumping  bool
}

// binding is what the negotiation decided.
type binding struct {
	writer   webrtc.TrackLocalWriter
	ssrc     uint32
	rtxSSRC  uint32
	payload  uint8
	rtx      uint8 // 0 without RTX
	midExt   uint8
	levelExt uint8
	mid      string
}

// Publish adds a sendonly section. Nothing is sent before an exchange has happened and the peer is connected.
func (p *Peer) Publish(track Track) (*Publisher, error) {
	info, err := track.Codec.info()
	if err != nil {
		return nil, err
	}
	track = track.withDefaults(info)
	b := &Publisher{peer: p, track: track, info: info, id: rand.Text(), silent: track.Silent, wantKey: true}
	var seed [10]byte
	_, _ = rand.Read(seed[:])
	b.stream = binary.BigEndian.Uint32(seed[:])
	b.baseTS = binary.BigEndian.Uint32(seed[4:])
	b.seq = binary.BigEndian.Uint16(seed[8:])
	b.trx, err = p.pc.AddTransceiverFromTrack(b, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, fmt.Errorf("sfutest: publish %s: %w", track.Codec, err)
	}
	if err := b.trx.SetCodecPreferences(info.preferences(!p.cfg.WithoutRTX)); err != nil {
		return nil, fmt.Errorf("sfutest: publish %s: %w", track.Codec, err)
	}
	if track.Mid != "" {
		if err := b.trx.SetMid(track.Mid); err != nil {
			return nil, fmt.Errorf("sfutest: publish as mid %s: %w", track.Mid, err)
		}
	}
	p.spawn(b.feedback)
	return b, nil
}

func (t Track) withDefaults(info codecInfo) Track {
	t.Interval = orElse(t.Interval, info.interval)
	if t.PerFrame == 0 {
		t.PerFrame = info.perFrame
	}
	if t.Size == 0 {
		t.Size = info.size
	}
	t.Size = max(t.Size, 100)
	return t
}

// Mid is the mid of the section, "" before the first Offer.
func (b *Publisher) Mid() string { return b.trx.Mid() }

// Stream is the number that stamps carry.
func (b *Publisher) Stream() uint32 { return b.stream }

// SSRC is the one on the wire, 0 before the answer.
func (b *Publisher) SSRC() uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.binding == nil {
		return 0
	}
	return b.binding.ssrc
}

// Stats is a snapshot.
func (b *Publisher) Stats() PublisherStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// Wait returns the first snapshot that satisfies done.
func (b *Publisher) Wait(ctx context.Context, done func(PublisherStats) bool) (PublisherStats, error) {
	s, err := await(ctx, &b.bell, b.peer.done, b.Stats, done)
	if err != nil {
		return s, fmt.Errorf("sfutest: publisher of mid %s: %w", b.Mid(), err)
	}
	return s, nil
}

// SetSilent stops or resumes sending. The clock of the media runs on, the sequence numbers do not.
func (b *Publisher) SetSilent(silent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silent = silent
}

// Withhold keeps the next n packets back; they are sent only when a NACK asks for them.
func (b *Publisher) Withhold(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.withhold += n
}

// The methods below make Publisher a webrtc.TrackLocal.

// ID is random; it is the track id of the msid line.
func (b *Publisher) ID() string { return b.id }

// RID is empty: one encoding.
func (b *Publisher) RID() string { return "" }

// StreamID is the stream id of the msid line.
func (b *Publisher) StreamID() string { return "sfutest" }

// Kind is audio or video.
func (b *Publisher) Kind() webrtc.RTPCodecType { return b.info.kind() }

// Bind is called by pion when the answer is in. The payload type is the one that this section offered: pion's list is
// that of the whole connection, and may have another for the same codec from a section that the far end offered.
func (b *Publisher) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	if !slices.ContainsFunc(codecs, func(c webrtc.RTPCodecParameters) bool {
		return strings.EqualFold(c.MimeType, b.info.parameters().MimeType)
	}) {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	bound := &binding{
		writer: ctx.WriteStream(), ssrc: uint32(ctx.SSRC()), rtxSSRC: uint32(ctx.SSRCRetransmission()),
		payload: uint8(b.info.payload), mid: b.trx.Mid(),
	}
	for _, c := range codecs {
		if c.SDPFmtpLine == fmt.Sprintf("apt=%d", b.info.payload) {
			bound.rtx = uint8(c.PayloadType)
		}
	}
	for _, ext := range ctx.HeaderExtensions() {
		switch ext.URI {
		case midURI:
			bound.midExt = uint8(ext.ID)
		case audioLevelURI:
			bound.levelExt = uint8(ext.ID)
		}
	}
	b.start(bound)
	return b.info.parameters(), nil
}

// Unbind is called by pion when the sender stops.
func (b *Publisher) Unbind(webrtc.TrackLocalContext) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.binding = nil
	return nil
}

func (b *Publisher) start(bound *binding) {
	b.mu.Lock()
	first := !b.pumping
	b.pumping = true
	b.binding = bound
	b.mu.Unlock()
	if first {
		b.peer.spawn(b.pump)
	}
}

var _ webrtc.TrackLocal = (*Publisher)(nil)
