package adapter

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"
)

func smjpeg(pictures ...timedPicture) []byte {
	b := append([]byte("\x00\nSMJPEG"), make([]byte, 8)...)
	b = append(b, "_TXT\x00\x00\x00\x03abc_VID\x00\x00\x00\x0c123456789012HEND"...)
	for _, p := range pictures {
		b = binary.BigEndian.AppendUint32(append(b, "vidD"...), p.time*unitTime)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p.jpeg))), p.jpeg...)
	}
	return b
}

func TestPicturesAreReadWithTheirTimes(t *testing.T) {
	from := bufio.NewReader(bytes.NewReader(smjpeg(timedPicture{0, []byte("one")}, timedPicture{7, nil}, timedPicture{8, []byte("two")})))
	if err := readSMJPEGHeader(from); err != nil {
		t.Fatal(err)
	}
	for _, want := range []timedPicture{{0, []byte("one")}, {7, nil}, {8, []byte("two")}} {
		got, err := readSMJPEG(from)
		if err != nil || got.time != want.time || !bytes.Equal(got.jpeg, want.jpeg) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := readSMJPEG(from); err == nil {
		t.Error("the end is a picture")
	}
}

func FuzzSMJPEG(f *testing.F) {
	f.Add(smjpeg(timedPicture{1, []byte("picture")}))
	f.Add([]byte("\x00\nSMJPEG00000000_TXT\xff\xff\xff\xff"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		from := bufio.NewReader(bytes.NewReader(b))
		if readSMJPEGHeader(from) != nil {
			return
		}
		for {
			if _, err := readSMJPEG(from); err != nil {
				return
			}
		}
	})
}
