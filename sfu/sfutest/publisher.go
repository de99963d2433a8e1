package sfutest

import (
	"cmp"
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
	Timestamp  uint32        // RTP time of the first frame; 0 is any
	KeyEvery   int           // frames between key frames that nobody asked for; 0 means only the first one
	Width      int           // of the frames, video only; default 320x240
	Height     int
	Spatial    int  // VP9 and AV1: spatial layers of one SVC stream, each of PerFrame packets; 0 is one
	Receives   bool // the section is sendrecv
	// Content gives the RTP payloads of a frame in place of stamped filler: real media for who decodes it. frame counts from
	// 0; key tells that a key frame is wanted. PerFrame and Size mean nothing then.
	Content func(frame uint64, key bool) [][]byte
}

// Layer is one encoding of a simulcast Track. Zero fields are those of the Track.
type Layer struct {
	RID      string
	Interval time.Duration
	PerFrame int
	Size     int
	Width    int
	Height   int
	Content  func(frame uint64, key bool) [][]byte
}

// PublisherStats is what a Publisher has done and been told. All counters only grow.
type PublisherStats struct {
	Packets       uint64 // sent for the first time
	Frames        uint64
	KeyFrames     uint64
	Withheld      uint64 // made, kept for retransmission, not sent
	PLIs          uint64
	FIRs          uint64
	NACKs         uint64   // sequence numbers asked for
	Asked         []uint16 // the newest 64 of them
	Retransmitted uint64
	REMBs         uint64
	TransportCCs  uint64
}

const historySize = 512

type sentPacket struct {
	header  rtp.Header
	payload []byte
}

// Publisher sends one track, or one layer of it, from the moment its Peer is connected until Close, Stop or the end of the connection.
type Publisher struct {
	// Fixed after construction.
	peer    *Peer
	track   Track
	info    codecInfo
	id      string
	rid     string // "" without simulcast
	stream  uint32
	answers bool // the section is the far end's: its payload types are in force
	trx     *webrtc.RTPTransceiver

	bell bell

	mu       sync.Mutex
	binding  *binding // nil before the answer and after Stop
	silent   bool
	withhold int
	wantKey  bool
	holdKey  bool // key frames wait
	stats    PublisherStats
	history  [historySize]sentPacket
	packets  uint64
	seq      uint16
	rtxSeq   uint16
	baseTS   uint32
	basePic  uint16
	baseTL0  uint8
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
	ridExt   uint8
	rridExt  uint8
	levelExt uint8
	mid      string
}

// Publish adds a section that sends. Nothing is sent before an exchange has happened and the peer is connected.
func (p *Peer) Publish(track Track) (*Publisher, error) {
	b, err := p.newPublisher(track)
	if err != nil {
		return nil, err
	}
	return b, p.addSection(b)
}

// PublishInAnswer is Publish for a section of the far end's next offer: the Answer to that sends the track, under the
// offer's mid and payload types.
func (p *Peer) PublishInAnswer(track Track) (*Publisher, error) {
	b, err := p.newPublisher(track)
	if err != nil {
		return nil, err
	}
	b.answers = true
	return b, p.addSection(b)
}

// PublishSimulcast adds one section that sends the track in several layers, told apart by mid and rid alone; there is one
// Publisher for each. Their numbers have nothing in common, and each may be silent for itself.
func (p *Peer) PublishSimulcast(track Track, layers ...Layer) ([]*Publisher, error) {
	publishers := make([]*Publisher, len(layers))
	for i, layer := range layers {
		b, err := p.newPublisher(layer.of(track))
		if err != nil {
			return nil, err
		}
		b.rid = layer.RID
		publishers[i] = b
		if i == 0 {
			if err := p.addSection(b); err != nil {
				return nil, err
			}
			continue
		}
		b.id, b.trx = publishers[0].id, publishers[0].trx
		if err := b.trx.Sender().AddEncoding(b); err != nil {
			return nil, fmt.Errorf("sfutest: publish layer %q: %w", layer.RID, err)
		}
		p.spawn(b.feedback)
	}
	return publishers, nil
}

// of is the layer's own track.
func (l Layer) of(track Track) Track {
	track.Interval = orElse(l.Interval, track.Interval)
	if l.Content != nil {
		track.Content = l.Content
	}
	for _, field := range []struct {
		to   *int
		from int
	}{{&track.PerFrame, l.PerFrame}, {&track.Size, l.Size}, {&track.Width, l.Width}, {&track.Height, l.Height}} {
		if field.from != 0 {
			*field.to = field.from
		}
	}
	return track
}

func (p *Peer) newPublisher(track Track) (*Publisher, error) {
	info, err := track.Codec.info()
	if err != nil {
		return nil, err
	}
	track = track.withDefaults(info)
	b := &Publisher{peer: p, track: track, info: info, id: rand.Text(), silent: track.Silent, wantKey: true}
	var seed [13]byte
	_, _ = rand.Read(seed[:])
	b.stream = binary.BigEndian.Uint32(seed[:])
	b.baseTS = cmp.Or(track.Timestamp, binary.BigEndian.Uint32(seed[4:]))
	b.seq = binary.BigEndian.Uint16(seed[8:])
	b.basePic = binary.BigEndian.Uint16(seed[10:])
	b.baseTL0 = seed[12]
	return b, nil
}

// addSection makes the transceiver.
func (p *Peer) addSection(b *Publisher) (err error) {
	direction := webrtc.RTPTransceiverDirectionSendonly
	if b.track.Receives {
		direction = webrtc.RTPTransceiverDirectionSendrecv
	}
	b.trx, err = p.pc.AddTransceiverFromTrack(b, webrtc.RTPTransceiverInit{Direction: direction})
	if err != nil {
		return fmt.Errorf("sfutest: publish %s: %w", b.track.Codec, err)
	}
	if !b.answers {
		if err := b.trx.SetCodecPreferences(b.info.preferences(!p.cfg.WithoutRTX)); err != nil {
			return fmt.Errorf("sfutest: publish %s: %w", b.track.Codec, err)
		}
	}
	if b.track.Mid != "" {
		if err := b.trx.SetMid(b.track.Mid); err != nil {
			return fmt.Errorf("sfutest: publish as mid %s: %w", b.track.Mid, err)
		}
	}
	p.spawn(b.feedback)
	return nil
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
	t.Spatial = max(t.Spatial, 1)
	if info.kind() == webrtc.RTPCodecTypeVideo && t.Width == 0 {
		t.Width, t.Height = 320, 240
	}
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
	c := b.stats
	c.Asked = slices.Clone(c.Asked)
	return c
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

// HoldKeyFrames makes PLIs and FIRs wait for their key frame until it is called with false.
func (b *Publisher) HoldKeyFrames(hold bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holdKey = hold
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

// RID is the layer's name, "" without simulcast.
func (b *Publisher) RID() string { return b.rid }

// StreamID is the stream id of the msid line.
func (b *Publisher) StreamID() string { return "sfutest" }

// Kind is audio or video.
func (b *Publisher) Kind() webrtc.RTPCodecType { return b.info.kind() }

// Bind is called by pion when the answer is in. The payload type is the one that this section offered, or that the far
// end's offer has: pion's list is that of the whole connection, and may have another for the same codec from elsewhere.
func (b *Publisher) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	i := slices.IndexFunc(codecs, func(c webrtc.RTPCodecParameters) bool {
		return strings.EqualFold(c.MimeType, b.info.parameters().MimeType)
	})
	if i < 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	agreed := b.info.parameters()
	if b.answers {
		agreed.PayloadType = codecs[i].PayloadType
	}
	bound := &binding{
		writer: ctx.WriteStream(), ssrc: uint32(ctx.SSRC()), rtxSSRC: uint32(ctx.SSRCRetransmission()),
		payload: uint8(agreed.PayloadType), mid: b.trx.Mid(),
	}
	for _, c := range codecs {
		if c.SDPFmtpLine == fmt.Sprintf("apt=%d", agreed.PayloadType) {
			bound.rtx = uint8(c.PayloadType)
		}
	}
	for _, ext := range ctx.HeaderExtensions() {
		switch ext.URI {
		case midURI:
			bound.midExt = uint8(ext.ID)
		case ridURI:
			bound.ridExt = uint8(ext.ID)
		case repairedURI:
			bound.rridExt = uint8(ext.ID)
		case audioLevelURI:
			bound.levelExt = uint8(ext.ID)
		}
	}
	b.start(bound)
	return agreed, nil
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
