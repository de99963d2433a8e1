package codec

import (
	"bytes"
	"testing"
)

func TestVP8PictureNumbers(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload []byte
		want    Picture
	}{
		{"no extension", []byte{0x10, 0x00, 0x00}, Picture{}},
		{"7-bit id", []byte{0x90, 0x80, 0x21, 0x00}, Picture{ID: 0x21, IDAt: 2}},
		{"15-bit id", []byte{0x90, 0x80, 0x81, 0x02, 0x00}, Picture{ID: 0x102, IDAt: 2, Wide: true}},
		{"15-bit id and tl0", []byte{0x90, 0xe0, 0xff, 0xfe, 0x07, 0x20, 0x00}, Picture{ID: 0x7ffe, IDAt: 2, Wide: true, TL0: 7, TL0At: 4}},
		{"tl0 alone", []byte{0x90, 0x40, 0x09, 0x00}, Picture{TL0: 9, TL0At: 2}},
		{"cut off", []byte{0x90, 0x80, 0x81}, Picture{}},
	} {
		if got := VP8Picture(c.payload); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestPutWritesWhatIsReadAgain(t *testing.T) {
	for _, payload := range [][]byte{
		{0x90, 0x80, 0x21, 0x55},
		{0x90, 0xe0, 0xff, 0xfe, 0x07, 0x20, 0x55},
		{0x10, 0x00, 0x55},
	} {
		p := bytes.Clone(payload)
		pic := VP8Picture(p)
		pic.Put(p, 0x1234, 200)
		got := VP8Picture(p)
		want := pic
		if pic.IDAt != 0 {
			want.ID = 0x1234
			if !pic.Wide {
				want.ID &= 0x7f
			}
		}
		if pic.TL0At != 0 {
			want.TL0 = 200
		}
		if got != want {
			t.Errorf("%x: got %+v, want %+v", payload, got, want)
		}
		if p[len(p)-1] != 0x55 {
			t.Errorf("%x: Put touched the picture itself: %x", payload, p)
		}
	}
}

func FuzzVP8Picture(f *testing.F) {
	f.Add([]byte{0x90, 0xe0, 0xff, 0xfe, 0x07, 0x20, 0x55})
	f.Fuzz(func(t *testing.T, p []byte) {
		p = bytes.Clone(p)
		VP8Picture(p).Put(p, 0x7fff, 255) // must not panic, whatever the bytes
	})
}
