package adapter

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"strings"

	"golang.org/x/image/vp8"
)

const (
	jpegQuality = 85
	// maxPixels bounds what a key frame's header may make us allocate: 4096 by 4096.
	maxPixels = 1 << 24
)

// ErrPicture is a key frame that gives no picture.
var ErrPicture = errors.New("the key frame cannot be decoded")

// pictures turns the key frames of one codec into JPEGs. It belongs to one goroutine.
type pictures interface {
	// jpeg decodes the units of one key frame, one after the other. The last picture counts: of spatial layers it is the
	// largest. It fails with ErrPicture.
	jpeg(units [][]byte) ([]byte, error)
	close()
}

// Decodes reports whether video of a codec, named as in SDP, can become JPEG here, and if not, what is missing.
func Decodes(codec string) error {
	if strings.EqualFold(codec, "VP8") {
		return nil
	}
	if _, known := ffmpegDecoders[strings.ToUpper(codec)]; !known {
		return fmt.Errorf("%w: %s", ErrCodec, codec)
	}
	_, err := findFFmpeg()
	return err
}

// newPictures makes what decodes a codec. When halt is closed, whoever waits for a picture is let go.
func newPictures(codec string, halt <-chan struct{}) (pictures, error) {
	if err := Decodes(codec); err != nil {
		return nil, err
	}
	if strings.EqualFold(codec, "VP8") {
		return vp8Pictures{}, nil
	}
	path, err := findFFmpeg()
	if err != nil {
		return nil, err
	}
	return &ffmpegPictures{path: path, codec: strings.ToUpper(codec), halt: halt}, nil
}

// vp8Pictures decodes in the process. Key frames need nothing of what came before.
type vp8Pictures struct{}

func (vp8Pictures) close() {}

func (vp8Pictures) jpeg(units [][]byte) ([]byte, error) {
	var whole []byte
	for _, u := range units {
		whole = append(whole, u...)
	}
	d := vp8.NewDecoder() // one that has decoded a larger picture keeps its size
	d.Init(bytes.NewReader(whole), len(whole))
	header, err := d.DecodeFrameHeader()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	if pixels := header.Width * header.Height; !header.KeyFrame || pixels == 0 || pixels > maxPixels {
		return nil, fmt.Errorf("%w: %d by %d, key frame %t", ErrPicture, header.Width, header.Height, header.KeyFrame)
	}
	picture, err := d.DecodeFrame()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	fullRange(picture)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	return out.Bytes(), nil
}

// fullRange stretches the levels of a picture in place. Video has black at 16 and white at 235 (RFC 6386 section 9.2, ITU-R
// BT.601), JPEG at 0 and 255 (JFIF): without it pictures are pale.
func fullRange(p *image.YCbCr) {
	luma, chroma := levels(16, 219, 0, 255), levels(128, 224, 128, 255)
	for i, y := range p.Y {
		p.Y[i] = luma[y]
	}
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = chroma[p.Cb[i]], chroma[p.Cr[i]]
	}
}

// levels maps a value whose zero is at from and whose span is width onto another zero and span.
func levels(from, width, to, span int) (table [256]uint8) {
	for v := range table {
		scaled := (v - from) * span
		half := width / 2
		if scaled < 0 {
			half = -half
		}
		table[v] = uint8(min(max((scaled+half)/width+to, 0), 255))
	}
	return table
}
