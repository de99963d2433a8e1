package adapter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quarters are the colours of the test picture: top left, top right, bottom left, bottom right. Black and white show whether
// levels are stretched, red and blue whether the colours are exchanged.
var quarters = [4]color.RGBA{{220, 30, 30, 255}, {255, 255, 255, 255}, {0, 0, 0, 255}, {20, 60, 230, 255}}

// card is a picture whose quarters have those colours, with a grey ramp across the middle.
func card(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := quarters[2*(2*y/height)+2*x/width]
			if y >= height*3/8 && y < height*5/8 {
				g := uint8(255 * x / width)
				c = color.RGBA{g, g, g, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// encoders make key frames by ffmpeg.
var encoders = map[string][]string{
	"VP8":  {"-c:v", "libvpx", "-deadline", "realtime", "-b:v", "4M", "-f", "ivf"},
	"VP9":  {"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "4M", "-f", "ivf"},
	"H264": {"-c:v", "libx264", "-profile:v", "baseline", "-tune", "zerolatency", "-x264-params", "aud=1", "-f", "h264"},
	"H265": {"-c:v", "libx265", "-x265-params", "aud=1:keyint=1:log-level=none", "-f", "hevc"},
}

// encode makes the same picture several times, each a key frame.
func encode(tb testing.TB, codec string, picture *image.RGBA, frames int) [][]byte {
	tb.Helper()
	path, err := findFFmpeg()
	if err != nil {
		tb.Fatalf("this test makes its video with ffmpeg: %v; scripts/tools.sh ffmpeg installs it", err)
	}
	size := fmt.Sprintf("%dx%d", picture.Rect.Dx(), picture.Rect.Dy())
	out := filepath.Join(tb.TempDir(), "video")
	arguments := append([]string{"-v", "error", "-f", "rawvideo", "-pix_fmt", "rgba", "-video_size", size, "-framerate", "10",
		"-i", "pipe:0", "-g", "1", "-pix_fmt", "yuv420p"}, append(encoders[codec], out)...)
	cmd := exec.Command(path, arguments...)
	cmd.Stdin = bytes.NewReader(bytes.Repeat(picture.Pix, frames))
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("ffmpeg: %v: %s", err, text)
	}
	video, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	if codec == "VP8" || codec == "VP9" {
		return splitIVF(video)
	}
	return splitAUD(codec, video)
}

func splitIVF(b []byte) (frames [][]byte) {
	for b = b[32:]; len(b) > 12; {
		n := int(binary.LittleEndian.Uint32(b))
		frames = append(frames, b[12:12+n])
		b = b[12+n:]
	}
	return frames
}

// splitAUD cuts an Annex B stream at its access unit delimiters.
func splitAUD(codec string, b []byte) (frames [][]byte) {
	delimiter := []byte{0, 0, 0, 1, 9}
	if codec == "H265" {
		delimiter[4] = 35 << 1
	}
	for _, f := range bytes.Split(b, delimiter) {
		if len(f) > 0 {
			frames = append(frames, append(bytes.Clone(delimiter), f...))
		}
	}
	return frames
}

// wantPicture compares a JPEG with the picture that was published: size, the colour of each quarter, and the whole.
func wantPicture(t *testing.T, got []byte, want *image.RGBA) {
	t.Helper()
	decoded, err := jpeg.Decode(bytes.NewReader(got))
	if err != nil {
		t.Fatalf("no JPEG: %v", err)
	}
	if decoded.Bounds() != want.Bounds() {
		t.Fatalf("the JPEG is %v, the source %v", decoded.Bounds(), want.Bounds())
	}
	w, h := want.Rect.Dx(), want.Rect.Dy()
	for i := range quarters {
		x, y := w/4+i%2*w/2, h/6+i/2*(h*2/3)
		r, g, b, _ := decoded.At(x, y).RGBA()
		c := quarters[i]
		if far(r>>8, c.R) || far(g>>8, c.G) || far(b>>8, c.B) {
			t.Errorf("quarter %d is %d,%d,%d, the source has %v", i, r>>8, g>>8, b>>8, c)
		}
	}
	if db := psnr(decoded, want); db < 28 {
		t.Errorf("the JPEG is %.1f dB from the source", db)
	}
}

func far(got uint32, want uint8) bool { return math.Abs(float64(got)-float64(want)) > 8 }

func psnr(a image.Image, b *image.RGBA) float64 {
	var sum, n float64
	for y := range b.Rect.Dy() {
		for x := range b.Rect.Dx() {
			r1, g1, b1, _ := a.At(x, y).RGBA()
			c := b.RGBAAt(x, y)
			for _, d := range []float64{float64(r1>>8) - float64(c.R), float64(g1>>8) - float64(c.G), float64(b1>>8) - float64(c.B)} {
				sum += d * d
				n++
			}
		}
	}
	return 10 * math.Log10(255*255/(sum/n))
}

func TestKeyFramesBecomeTheSourcesPicture(t *testing.T) {
	for codec := range encoders {
		t.Run(codec, func(t *testing.T) {
			p, err := newPictures(codec, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			for _, size := range [][2]int{{320, 180}, {640, 360}, {160, 120}} { // larger, and smaller again
				source := card(size[0], size[1])
				for i, frame := range encode(t, codec, source, 3) {
					got, err := p.jpeg([][]byte{frame})
					if err != nil {
						t.Fatalf("%v, frame %d: %v", size, i, err)
					}
					wantPicture(t, got, source)
				}
			}
		})
	}
}

func TestOneFFmpegServesOneSizeAndComesBackAfterDamage(t *testing.T) {
	f := &ffmpegPictures{codec: "VP9"}
	f.path, _ = findFFmpeg()
	defer f.close()
	source := card(320, 180)
	frames := encode(t, "VP9", source, 4)
	var first *ffmpegProcess
	for i, frame := range frames {
		if _, err := f.jpeg([][]byte{frame}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = f.process
		}
	}
	if f.process != first {
		t.Error("a new ffmpeg was begun for the same size")
	}
	if _, err := f.jpeg([][]byte{frames[0][:len(frames[0])/3]}); err == nil {
		t.Log("ffmpeg makes something of a third of a frame")
	}
	if err := first.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	for range 2 { // the first may find the process gone
		if got, err := f.jpeg([][]byte{frames[1]}); err == nil {
			wantPicture(t, got, source)
			return
		}
	}
	t.Error("no picture after the damage")
}

// TestTheLargestSpatialLayerCounts: a superframe's layers come as units of one key frame.
func TestTheLargestSpatialLayerCounts(t *testing.T) {
	small, large := card(160, 90), card(320, 180)
	p, err := newPictures("VP9", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	// Both are key frames here, which the decoder sees as a change of size; the output keeps the size of the first.
	got, err := p.jpeg([][]byte{encode(t, "VP9", large, 1)[0], encode(t, "VP9", small, 1)[0]})
	if err != nil {
		t.Fatal(err)
	}
	if config, err := jpeg.DecodeConfig(bytes.NewReader(got)); err != nil || config.Width != 320 {
		t.Errorf("%+v, %v", config, err)
	}
}

func TestDamagedKeyFramesGiveErrors(t *testing.T) {
	frame := encode(t, "VP8", card(64, 48), 1)[0]
	huge := bytes.Clone(frame)
	huge[6], huge[7], huge[8], huge[9] = 0xff, 0x3f, 0xff, 0x3f
	none := bytes.Clone(frame)
	none[6], none[7] = 0, 0
	inter := bytes.Clone(frame)
	inter[0] |= 1
	for name, b := range map[string][]byte{"empty": nil, "cut": frame[:20], "16383 by 16383": huge, "no width": none, "inter": inter} {
		if got, err := (vp8Pictures{}).jpeg([][]byte{b}); !errors.Is(err, ErrPicture) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestCodecsThatNeedFFmpegSaySo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for codec, want := range map[string]error{"VP8": nil, "vp8": nil, "VP9": ErrNoFFmpeg, "H264": ErrNoFFmpeg, "h265": ErrNoFFmpeg, "AV1": ErrCodec, "opus": ErrCodec} {
		if err := Decodes(codec); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", codec, err, want)
		}
	}
	if _, err := newPictures("VP9", nil); !errors.Is(err, ErrNoFFmpeg) {
		t.Errorf("VP9 without ffmpeg: %v", err)
	}
}

func FuzzVP8(f *testing.F) {
	for _, frame := range encode(f, "VP8", card(64, 48), 1) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 10 && (binary.LittleEndian.Uint16(b[6:])&0x3fff > 256 || binary.LittleEndian.Uint16(b[8:])&0x3fff > 256) {
			return // large pictures only make it slow
		}
		if got, err := (vp8Pictures{}).jpeg([][]byte{b}); err == nil {
			if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
