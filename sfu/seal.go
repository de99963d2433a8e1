package sfu

import (
	"encoding/binary"
	"time"

	"github.com/callsemu/callsemu/sfu/internal/codec"
	"github.com/callsemu/callsemu/sfu/internal/rewrite"
)

// outgoing is one packet before it is sealed.
type outgoing struct {
	ssrc     uint32
	pt       uint8
	numbers  rewrite.Numbers
	marker   bool
	level    uint8
	repair   bool   // a retransmission: original stands behind the header (RFC 4588 section 4)
	original uint16 // sequence number of the packet that was lost
	picture  codec.Picture
	payload  []byte
}

// sealPacket writes header and payload where the batch wants them, encrypts in place and commits. It needs peer.outMu.
func (w *worker) sealPacket(a *association, at path, b *binding, o *outgoing) bool {
	n := 12 + b.overhead + len(o.payload)
	if o.repair {
		n += 2
	}
	buf := w.reserve(at, n+sealRoom)
	buf[0] = 0x80
	if b.overhead > 0 {
		buf[0] |= 0x10
	}
	buf[1] = o.pt
	if o.marker {
		buf[1] |= 0x80
	}
	binary.BigEndian.PutUint16(buf[2:], o.numbers.Seq)
	binary.BigEndian.PutUint32(buf[4:], o.numbers.TS)
	binary.BigEndian.PutUint32(buf[8:], o.ssrc)
	i := 12
	if b.overhead > 0 {
		b.extensions(buf[i:i+b.overhead], o.level, w.now)
		i += b.overhead
	}
	if o.repair {
		binary.BigEndian.PutUint16(buf[i:], o.original)
		i += 2
	}
	copy(buf[i:], o.payload)
	if o.picture.ID != o.numbers.Picture || o.picture.TL0 != o.numbers.TL0 {
		o.picture.Put(buf[i:], o.numbers.Picture, o.numbers.TL0)
	}
	sealed, err := a.out.EncryptRTP(buf, buf[:n], &w.seal)
	if err != nil {
		return false // the association has used up its keys' life, which takes 2^48 packets
	}
	w.commit(at, len(sealed))
	return true
}

// extensions writes the header extension block in the one-byte form (RFC 8285 section 4.2).
func (b *binding) extensions(buf []byte, level uint8, now time.Time) {
	clear(buf)
	binary.BigEndian.PutUint16(buf, 0xBEDE)
	binary.BigEndian.PutUint16(buf[2:], uint16(len(buf)/4-1))
	i := 4
	if b.absTime != 0 {
		t := absSendTime(now)
		buf[i], buf[i+1], buf[i+2], buf[i+3] = b.absTime<<4|2, byte(t>>16), byte(t>>8), byte(t)
		i += 4
	}
	if b.level != 0 && level != noLevel {
		buf[i], buf[i+1] = b.level<<4, level
	}
}

// absSendTime is seconds in 6.18 fixed point.
func absSendTime(now time.Time) uint32 {
	ns := now.UnixNano()
	return uint32((ns/1e9)<<18|(ns%1e9)<<18/1e9) & 0xffffff
}
