package sfutest

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// Stamp is the end of every payload that a Publisher sends.
type Stamp struct {
	Stream    uint32    // random, one per Publisher
	Packet    uint64    // counts the Publisher's packets from 0, withheld ones too
	Sequence  uint16    // RTP sequence number at the publisher
	Timestamp uint32    // RTP timestamp at the publisher
	Captured  time.Time // nominal capture time, the same clock for all publishers of a process
	Key       bool      // first packet of a key frame
	Width     int       // of the frame, 0 for audio
	Height    int
}

var (
	errNoStamp  = errors.New("sfutest: payload carries no stamp")
	errBadStamp = errors.New("sfutest: payload is damaged")
)

const (
	stampMagic = 0x5ea1ca11
	stampSize  = 4 + 4 + 8 + 2 + 4 + 8 + 1 + 2 + 2 + 4
	coveredMin = 64 // bytes before the checksum that the checksum covers, so that damage to the filler shows as well
)

func (s Stamp) appendTo(payload []byte) []byte {
	payload = binary.BigEndian.AppendUint32(payload, stampMagic)
	payload = binary.BigEndian.AppendUint32(payload, s.Stream)
	payload = binary.BigEndian.AppendUint64(payload, s.Packet)
	payload = binary.BigEndian.AppendUint16(payload, s.Sequence)
	payload = binary.BigEndian.AppendUint32(payload, s.Timestamp)
	payload = binary.BigEndian.AppendUint64(payload, uint64(s.Captured.UnixNano()))
	key := byte(0)
	if s.Key {
		key = 1
	}
	payload = append(payload, key)
	payload = binary.BigEndian.AppendUint16(payload, uint16(s.Width))
	payload = binary.BigEndian.AppendUint16(payload, uint16(s.Height))
	return binary.BigEndian.AppendUint32(payload, crc32.ChecksumIEEE(payload[len(payload)-coveredMin:]))
}

// ReadStamp finds the stamp at the end of a payload. A payload of another source has none.
func ReadStamp(payload []byte) (Stamp, error) {
	if len(payload) < coveredMin+4 {
		return Stamp{}, errNoStamp
	}
	b := payload[len(payload)-stampSize:]
	if binary.BigEndian.Uint32(b) != stampMagic {
		return Stamp{}, errNoStamp
	}
	end := len(payload) - 4
	if crc32.ChecksumIEEE(payload[end-coveredMin:end]) != binary.BigEndian.Uint32(payload[end:]) {
		return Stamp{}, errBadStamp
	}
	return Stamp{
		Stream:    binary.BigEndian.Uint32(b[4:]),
		Packet:    binary.BigEndian.Uint64(b[8:]),
		Sequence:  binary.BigEndian.Uint16(b[16:]),
		Timestamp: binary.BigEndian.Uint32(b[18:]),
		Captured:  time.Unix(0, int64(binary.BigEndian.Uint64(b[22:]))),
		Key:       b[30] == 1,
		Width:     int(binary.BigEndian.Uint16(b[31:])),
		Height:    int(binary.BigEndian.Uint16(b[33:])),
	}, nil
}
