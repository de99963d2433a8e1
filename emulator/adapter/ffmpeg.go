package adapter

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// ffmpegPatience is how long a picture is waited for before its units are given again, and ffmpegTries how often they
	// are: an ffmpeg that holds a picture back lets go of it then.
	ffmpegPatience = 700 * time.Millisecond
	ffmpegTries    = 3
	// ffmpegRestart is how many units one process gets: their times, in hundredths of a second, stay far from 32 bits.
	ffmpegRestart = 1 << 24
)

// ffmpegDecoders are ffmpeg's names for what it decodes for us, and the four characters of IVF.
var ffmpegDecoders = map[string]struct{ decoder, fourCC string }{
	"VP9":  {"vp9", "VP90"},
	"H264": {"h264", "H264"},
	"H265": {"hevc", "HEVC"},
}

// findFFmpeg looks at the PATH each time: who has just installed it need not restart the emulator.
func findFFmpeg() (string, error) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoFFmpeg, err)
	}
	return path, nil
}

// ffmpegPictures decodes by one long-running ffmpeg. A new one is begun when the form of the pictures changes, since ffmpeg
// would scale them to the old size, and after a failure.
type ffmpegPictures struct {
	path, codec string
	halt        <-chan struct{} // closed when nobody waits for pictures any more
	process     *ffmpegProcess  // nil for none
	form        []byte          // formOf what process was begun with
	modern      bool            // this ffmpeg does not know -vsync
}

func (f *ffmpegPictures) close() {
	if f.process != nil {
		f.process.close()
		f.process = nil
	}
}

func (f *ffmpegPictures) jpeg(units [][]byte) ([]byte, error) {
	form := formOf(f.codec, units)
	if f.process != nil && (form != nil && !bytes.Equal(form, f.form) || f.process.next > ffmpegRestart) {
		f.close()
	}
	if f.process == nil {
		if err := f.begin(form); err != nil {
			return nil, err
		}
	}
	out, err := f.process.jpeg(units)
	if err == nil {
		return out, nil
	}
	if f.process.refusesVsync() && !f.modern {
		f.modern = true
		f.close()
		return f.jpeg(units)
	}
	f.close()
	return nil, err
}

func (f *ffmpegPictures) begin(form []byte) (err error) {
	f.process, err = startFFmpeg(f.path, f.arguments(), ffmpegDecoders[f.codec].fourCC, f.halt)
	f.form = form
	return err
}

// arguments: frames come as IVF, which tells where each ends and which codec it is of, and leave as SMJPEG, which tells
// where each ends and which time it had. Nothing is held back, dropped or doubled, and the only protocol is the pipe.
func (f *ffmpegPictures) arguments() []string {
	sync := "-vsync"
	if f.modern {
		sync = "-fps_mode"
	}
	return []string{
		"-hide_banner", "-loglevel", "error", "-nostdin", "-protocol_whitelist", "pipe",
		"-fpsprobesize", "0", "-probesize", "32", "-analyzeduration", "0", "-flags", "low_delay", "-threads", "1",
		"-c:v", ffmpegDecoders[f.codec].decoder, "-f", "ivf", "-i", "pipe:0",
		"-an", "-vf", "scale=in_range=auto:out_range=full:out_color_matrix=bt601,format=yuvj420p",
		sync, "passthrough", "-enc_time_base", "-1", "-threads", "1", "-c:v", "mjpeg", "-q:v", "3",
		"-flush_packets", "1", "-f", "smjpeg", "pipe:1",
	}
}

// formOf is what decides the size of a key frame's pictures: parameter sets of H.264 and H.265, the header of VP9. It is nil
// where there is none, as when a key frame goes on with the parameter sets of before.
func formOf(codec string, units [][]byte) []byte {
	var form []byte
	switch codec {
	case "VP9": // up to the frame's size (VP9 bitstream specification, section 6.2)
		if len(units) > 0 && len(units[0]) >= 9 {
			form = append(form, units[0][:9]...)
			form[8] &= 0xf0
			form = append(form, byte(len(units)))
		}
	case "H264":
		form = parameterSets(units, func(b byte) bool { return b&0x1f == 7 || b&0x1f == 8 })
	case "H265":
		form = parameterSets(units, func(b byte) bool { return b>>1&0x3f >= 32 && b>>1&0x3f <= 34 })
	}
	return form
}

// parameterSets collects the NAL units of an Annex B stream whose first byte is wanted.
func parameterSets(units [][]byte, wanted func(byte) bool) (sets []byte) {
	for _, u := range units {
		for nal := range bytes.SplitSeq(u, []byte{0, 0, 1}) {
			if len(nal) > 0 && wanted(nal[0]) {
				sets = append(sets, bytes.TrimRight(nal, "\x00")...)
			}
		}
	}
	return sets
}

// ffmpegProcess is one ffmpeg with the goroutines that read its pictures and end it; close joins them.
type ffmpegProcess struct {
	cmd      *exec.Cmd
	in       *os.File
	pictures chan timedPicture // closed when ffmpeg's output ends
	stop     chan struct{}
	next     uint32 // time of the next unit
	complain tail
	joined   sync.WaitGroup
}

type timedPicture struct {
	time uint32
	jpeg []byte
}

func startFFmpeg(path string, arguments []string, fourCC string, halt <-chan struct{}) (*ffmpegProcess, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe to ffmpeg: %w", err)
	}
	p := &ffmpegProcess{cmd: exec.Command(path, arguments...), in: ours, pictures: make(chan timedPicture, 16), stop: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stderr = theirs, &p.complain
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	err = errors.Join(err, theirs.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start ffmpeg: %w", err), ours.Close())
	}
	p.joined.Go(func() { p.read(out) })
	p.joined.Go(func() { p.end(halt) })
	if err := p.write(ivfHeader(fourCC)); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// read hands on pictures until ffmpeg's output ends.
func (p *ffmpegProcess) read(out io.Reader) {
	defer close(p.pictures)
	from := bufio.NewReader(out)
	if readSMJPEGHeader(from) != nil {
		return
	}
	for {
		picture, err := readSMJPEG(from)
		if err != nil {
			return
		}
		select {
		case p.pictures <- picture:
		case <-p.stop:
			return
		}
	}
}

// write bounds the time that an ffmpeg which does not read may take.
func (p *ffmpegProcess) write(b []byte) error {
	if err := p.in.SetWriteDeadline(time.Now().Add(ffmpegTries * ffmpegPatience)); err != nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	if _, err := p.in.Write(b); err != nil {
		return fmt.Errorf("%w: ffmpeg ended: %w: %s", ErrPicture, err, p.complain.String())
	}
	return nil
}

// jpeg returns the picture of the last unit, or of the last that has one.
func (p *ffmpegProcess) jpeg(units [][]byte) ([]byte, error) {
	first, last := p.next, p.next+uint32(len(units))-1
	var best []byte
	p.forget()
	for range ffmpegTries {
		for _, u := range units {
			if err := p.write(ivfFrame(u, p.next)); err != nil {
				return nil, err
			}
			p.next++
		}
		picture, err := p.await(first, last, &best)
		if picture != nil || err != nil {
			return picture, err
		}
	}
	if best != nil {
		return best, nil
	}
	return nil, fmt.Errorf("%w: ffmpeg made no picture of it: %s", ErrPicture, p.complain.String())
}

// forget drops pictures of key frames that were given several times.
func (p *ffmpegProcess) forget() {
	for {
		select {
		case _, open := <-p.pictures:
			if !open {
				return // writing tells why
			}
		default:
			return
		}
	}
}

// await reads pictures until that of the last unit comes, or one that can only come after it; best keeps the others.
func (p *ffmpegProcess) await(first, last uint32, best *[]byte) ([]byte, error) {
	patience := time.NewTimer(ffmpegPatience)
	defer patience.Stop()
	for {
		select {
		case got, open := <-p.pictures:
			switch {
			case !open:
				return nil, fmt.Errorf("%w: ffmpeg ended: %s", ErrPicture, p.complain.String())
			case got.time == last:
				return got.jpeg, nil
			case got.time > last && *best != nil:
				return *best, nil
			case got.time >= first && got.time < last:
				*best = got.jpeg
			}
		case <-patience.C:
			return nil, nil
		}
	}
}

// refusesVsync reports whether ffmpeg ended because it has only the newer name of that option.
func (p *ffmpegProcess) refusesVsync() bool { return strings.Contains(p.complain.String(), "vsync") }

// end kills ffmpeg when it is closed, or when nobody wants pictures any more: whoever waits for one is let go.
func (p *ffmpegProcess) end(halt <-chan struct{}) {
	select {
	case <-p.stop:
	case <-halt:
	}
	_ = p.cmd.Process.Kill() // fails only if it has ended already
	_ = p.in.Close()
}

func (p *ffmpegProcess) close() {
	close(p.stop)
	p.joined.Wait()
	_ = p.cmd.Wait() // that it was killed is no news
}

// tail keeps the end of what ffmpeg complains about.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 500

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.text)), " ")
}
