package keyframe

import (
	"slices"
	"strings"

	"github.com/pion/rtp/codecs"
)

const (
	// maxPackets and maxBytes bound one frame; a key frame of 4K video takes some 500 packets.
	maxPackets = 4096
	maxBytes   = 8 << 20
)

// Packet is one packet of a stream of video.
type Packet struct {
	Payload []byte // copied by Add
	Seq     uint16
	TS      uint32
	Marker  bool // the frame's last packet
	Starts  bool // a key frame, or what belongs in front of it, begins here
}

// Assembler puts key frames together, one at a time: a new one ends the one before, complete or not.
type Assembler struct {
	unpack func([]Packet) ([][]byte, bool)
	active bool
	ts     uint32
	bytes  int
	held   []Packet // by number
}

// New makes an Assembler for a codec, named as in SDP; nil for one that it does not know.
func New(codec string) *Assembler {
	unpack := map[string]func([]Packet) ([][]byte, bool){
		"VP8": unpackVP8, "VP9": unpackVP9, "H264": unpackH264, "H265": unpackH265,
	}[strings.ToUpper(codec)]
	if unpack == nil {
		return nil
	}
	return &Assembler{unpack: unpack}
}

// Add takes a packet in, in any order. When a key frame is complete it returns what a decoder is given, unit by unit: the
// layers of a VP9 frame each for itself, H.264 and H.265 as Annex B.
func (a *Assembler) Add(p Packet) (units [][]byte, complete bool) {
	if !a.active || p.TS != a.ts {
		if !p.Starts {
			return nil, false
		}
		a.active, a.ts, a.bytes, a.held = true, p.TS, 0, a.held[:0]
	}
	if !a.hold(p) {
		return nil, false
	}
	frame, complete := a.frame()
	if !complete {
		return nil, false
	}
	a.active = false
	return a.unpack(frame)
}

// hold keeps a packet in its place, false for one that is there already or too much.
func (a *Assembler) hold(p Packet) bool {
	i, there := slices.BinarySearchFunc(a.held, p, func(x, p Packet) int { return int(int16(x.Seq - p.Seq)) })
	if there {
		return false
	}
	if a.bytes += len(p.Payload); len(a.held) >= maxPackets || a.bytes > maxBytes {
		a.active = false
		return false
	}
	p.Payload = slices.Clone(p.Payload)
	a.held = slices.Insert(a.held, i, p)
	return true
}

// frame is the held packets from the first that starts a key frame to the last, if none is missing between them.
func (a *Assembler) frame() ([]Packet, bool) {
	first := slices.IndexFunc(a.held, func(p Packet) bool { return p.Starts })
	if first < 0 {
		return nil, false
	}
	for i := first; i < len(a.held); i++ {
		if i > first && a.held[i].Seq != a.held[i-1].Seq+1 {
			return nil, false
		}
		if a.held[i].Marker {
			return a.held[first : i+1], true
		}
	}
	return nil, false
}

func unpackVP8(frame []Packet) ([][]byte, bool) {
	var whole []byte
	for _, p := range frame {
		var packet codecs.VP8Packet
		part, err := packet.Unmarshal(p.Payload)
		if err != nil {
			return nil, false
		}
		whole = append(whole, part...)
	}
	return [][]byte{whole}, len(whole) > 0
}

// unpackVP9 begins a unit with every layer.
func unpackVP9(frame []Packet) (units [][]byte, ok bool) {
	for _, p := range frame {
		var packet codecs.VP9Packet
		part, err := packet.Unmarshal(p.Payload)
		if err != nil {
			return nil, false
		}
		if packet.B {
			units = append(units, nil)
		}
		if len(units) == 0 {
			return nil, false
		}
		last := len(units) - 1
		units[last] = append(units[last], part...)
	}
	units = slices.DeleteFunc(units, func(u []byte) bool { return len(u) == 0 })
	return units, len(units) > 0
}

func unpackH264(frame []Packet) ([][]byte, bool) { return unpackNAL(frame, &codecs.H264Packet{}) }

func unpackH265(frame []Packet) ([][]byte, bool) { return unpackNAL(frame, &codecs.H265Depacketizer{}) }

func unpackNAL(frame []Packet, d interface{ Unmarshal([]byte) ([]byte, error) }) ([][]byte, bool) {
	var whole []byte
	for _, p := range frame {
		part, err := d.Unmarshal(p.Payload)
		if err != nil {
			return nil, false
		}
		whole = append(whole, part...)
	}
	return [][]byte{whole}, len(whole) > 0
}
