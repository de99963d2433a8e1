package sfutest

import (
	"encoding/hex"
	"image/color"
)

// The picture of VP8Card: four quarters, each of one colour.
const (
	CardWidth  = 160
	CardHeight = 96
)

// CardColours are those of the quarters: top left, top right, bottom left, bottom right. White and black show whether levels
// are right, the other two whether colours are exchanged.
func CardColours() [4]color.RGBA {
	return [4]color.RGBA{{220, 30, 30, 255}, {255, 255, 255, 255}, {0, 0, 0, 255}, {20, 60, 230, 255}}
}

// cardFrame is a key frame of that picture, by ffmpeg from its raw RGB:
//
//	ffmpeg -f rawvideo -pix_fmt rgb24 -video_size 160x96 -i card.rgb -frames:v 1 -c:v libvpx -crf 4 -b:v 1M -pix_fmt yuv420p -f ivf card.ivf
//
// without the 44 bytes of IVF in front of it.
const cardFrame = "" +
	"100a009d012aa000600000470885858899848802021be77477417c03fa023d7dd8e207f007f5038c17b03fa57cb15bff63fe21a746fe360300a7" +
	"0e7cc59bc32d8cad14882a213c01a773234b460e9007e360300a70e7cc59bb80fefbf06fffdd393fa727f4ccdec7ffe81f87bd847b97ff7fdc45" +
	"0c7e67a40003309cdb4f5785bf0a9bfcab07ffaa0a63c6067da7fa34ff5aff52d2d0907c27ce40beadc01126b6caf2ce416bffb9d710ec1ba649" +
	"37d32d48e5da8baab8db32021103fda054e0a5268d82d8fa539b8691c003c6c000"

// VP8Card is the Content of a Track that sends the picture: a key frame where one is wanted, and else frames that repeat it.
func VP8Card() func(frame uint64, key bool) [][]byte {
	whole, err := hex.DecodeString(cardFrame)
	if err != nil {
		panic("sfutest: the picture: " + err.Error())
	}
	// RFC 7741 section 4.2: the descriptor's S bit, partition 0; then the frame.
	first := append([]byte{0x10}, whole...)
	return func(_ uint64, key bool) [][]byte {
		if key {
			return [][]byte{first}
		}
		return [][]byte{{0x10, 0x11, 0x20, 0x00}}
	}
}
