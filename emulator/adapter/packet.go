package adapter

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrPacket is a message that is no Packet.
var ErrPacket = errors.New("not a serialised Packet")

// Field numbers of Packet (contract 5.3); 3 and 4 do not exist.
const (
	fieldSequenceNumber protowire.Number = 1
	fieldTimestamp      protowire.Number = 2
	fieldPayload        protowire.Number = 5
)

// Packet is one binary message of an adapter's socket (contract 5.3):
//
//	message Packet { uint32 sequenceNumber = 1; uint32 timestamp = 2; bytes payload = 5; }
type Packet struct {
	SequenceNumber uint32
	Timestamp      uint32
	Payload        []byte
}

// Append adds the packet's proto3 form to b: zero values are left out.
func (p Packet) Append(b []byte) []byte {
	if p.SequenceNumber != 0 {
		b = protowire.AppendTag(b, fieldSequenceNumber, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(p.SequenceNumber))
	}
	if p.Timestamp != 0 {
		b = protowire.AppendTag(b, fieldTimestamp, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(p.Timestamp))
	}
	if len(p.Payload) > 0 {
		b = protowire.AppendTag(b, fieldPayload, protowire.BytesType)
		b = protowire.AppendBytes(b, p.Payload)
	}
	return b
}

// ParsePacket reads a message. The payload is a part of b. Unknown fields are skipped, and so are known numbers of another
// wire type; of a field that is there twice the last one counts. All of that is proto3's rule. It fails with ErrPacket.
func ParsePacket(b []byte) (Packet, error) {
	var p Packet
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Packet{}, fmt.Errorf("%w: %w", ErrPacket, protowire.ParseError(n))
		}
		if number > protowire.MaxValidNumber {
			return Packet{}, fmt.Errorf("%w: field number %d", ErrPacket, number)
		}
		b = b[n:]
		switch {
		case number == fieldSequenceNumber && kind == protowire.VarintType:
			n = consumeUint32(b, &p.SequenceNumber)
		case number == fieldTimestamp && kind == protowire.VarintType:
			n = consumeUint32(b, &p.Timestamp)
		case number == fieldPayload && kind == protowire.BytesType:
			p.Payload, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return Packet{}, fmt.Errorf("%w: field %d: %w", ErrPacket, number, protowire.ParseError(n))
		}
		b = b[n:]
	}
	return p, nil
}

func consumeUint32(b []byte, into *uint32) int {
	v, n := protowire.ConsumeVarint(b)
	if n >= 0 {
		*into = uint32(v) // the upper half is cut off, as proto3 has it
	}
	return n
}
