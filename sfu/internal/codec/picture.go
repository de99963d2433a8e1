package codec

// Picture is where a payload carries the numbers of its picture, which have to stay continuous when a receiver is given
// another layer of the same source. The zero value means that it carries none.
type Picture struct {
	ID    uint16
	TL0   uint8 // TL0PICIDX
	IDAt  uint8 // offset in the payload, 0 for none
	Wide  bool  // the id has 15 bits, not 7
	TL0At uint8 // offset in the payload, 0 for none
}

// VP8Picture reads the picture id and TL0PICIDX of a payload descriptor (RFC 7741 section 4.2).
func VP8Picture(p []byte) (pic Picture) {
	if len(p) < 3 || p[0]&0x80 == 0 {
		return pic
	}
	flags, i := p[1], 2
	if flags&0x80 != 0 { // I
		pic.IDAt = uint8(i)
		if p[i]&0x80 != 0 {
			if len(p) < i+2 {
				return Picture{}
			}
			pic.Wide = true
			pic.ID = uint16(p[i]&0x7f)<<8 | uint16(p[i+1])
			i++
		} else {
			pic.ID = uint16(p[i])
		}
		i++
	}
	if flags&0x40 != 0 && len(p) > i { // L
		pic.TL0At, pic.TL0 = uint8(i), p[i]
	}
	return pic
}

// Put writes other numbers into a payload that pic was read from.
func (pic Picture) Put(p []byte, id uint16, tl0 uint8) {
	if at := int(pic.IDAt); at != 0 {
		if pic.Wide {
			p[at], p[at+1] = 0x80|byte(id>>8)&0x7f, byte(id)
		} else {
			p[at] = byte(id) & 0x7f
		}
	}
	if pic.TL0At != 0 {
		p[pic.TL0At] = tl0
	}
}
