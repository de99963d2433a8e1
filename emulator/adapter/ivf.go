package adapter

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// unitTime is what lies between two units on ffmpeg's clock of milliseconds; its own rounding is smaller.
const unitTime = 10

// maxChunk bounds one chunk of SMJPEG.
const maxChunk = 64 << 20

var errSMJPEG = errors.New("not SMJPEG")

// ivfHeader begins a stream of frames with a clock of milliseconds. The size of the pictures stands in the frames.
func ivfHeader(fourCC string) []byte {
	b := append([]byte("DKIF"), 0, 0, 32, 0)
	b = append(b, fourCC...)
	b = append(b, 0, 0, 0, 0) // width and height
	b = binary.LittleEndian.AppendUint32(b, 1000)
	b = binary.LittleEndian.AppendUint32(b, 1)
	return append(b, make([]byte, 8)...)
}

// ivfFrame is the n-th frame.
func ivfFrame(frame []byte, n uint32) []byte {
	b := make([]byte, 0, 12+len(frame))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint64(b, uint64(n)*unitTime)
	return append(b, frame...)
}

// readSMJPEGHeader reads up to the first picture: a magic number, version and duration, and then chunks of text and of
// descriptions, each with its size, up to "HEND" (Loki SMJPEG file format).
func readSMJPEGHeader(from *bufio.Reader) error {
	var start [16]byte
	if _, err := io.ReadFull(from, start[:]); err != nil {
		return fmt.Errorf("%w: %w", errSMJPEG, err)
	}
	if !bytes.Equal(start[:8], []byte("\x00\nSMJPEG")) {
		return fmt.Errorf("%w: it begins with % x", errSMJPEG, start[:8])
	}
	for {
		var name [4]byte
		if _, err := io.ReadFull(from, name[:]); err != nil {
			return fmt.Errorf("%w: %w", errSMJPEG, err)
		}
		if string(name[:]) == "HEND" {
			return nil
		}
		if _, err := readSized(from); err != nil {
			return err
		}
	}
}

// readSMJPEG reads one picture with its number.
func readSMJPEG(from *bufio.Reader) (timedPicture, error) {
	var head [8]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return timedPicture{}, fmt.Errorf("%w: %w", errSMJPEG, err)
	}
	if string(head[:4]) != "vidD" {
		return timedPicture{}, fmt.Errorf("%w: a chunk called %q", errSMJPEG, head[:4])
	}
	jpeg, err := readSized(from)
	return timedPicture{time: binary.BigEndian.Uint32(head[4:]) / unitTime, jpeg: jpeg}, err
}

func readSized(from *bufio.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errSMJPEG, err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxChunk {
		return nil, fmt.Errorf("%w: a chunk of %d bytes", errSMJPEG, n)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, from, int64(n)); err != nil { // grows with what is there, whatever size says
		return nil, fmt.Errorf("%w: %w", errSMJPEG, err)
	}
	return b.Bytes(), nil
}
