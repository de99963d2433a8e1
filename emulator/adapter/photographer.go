package adapter

import (
	"time"

	"github.com/callsemu/callsemu/sfu"
)

// askPause lies between two requests for a key frame, however often pictures are due: each costs every viewer of the track bits.
const askPause = time.Second

// rhythm decides when a picture is due and when a key frame is asked for. It is pure but for the times that it is given.
type rhythm struct {
	due   time.Time
	asked time.Time
}

// ready reports whether a key frame that is there becomes a picture now. One that came late does not put off the next.
func (r *rhythm) ready(now time.Time, every time.Duration) bool {
	if now.Before(r.due) {
		return false
	}
	if r.due = r.due.Add(every); r.due.Before(now) {
		r.due = now.Add(every)
	}
	return true
}

// ask reports whether a key frame is to be asked for: a picture is due and none is there.
func (r *rhythm) ask(now time.Time, every time.Duration) bool {
	if now.Before(r.due) || now.Sub(r.asked) < every {
		return false
	}
	r.asked = now
	return true
}

// next is when to look again although nothing arrives.
func (r *rhythm) next(now time.Time, every time.Duration) time.Time {
	if now.Before(r.due) {
		return r.due
	}
	return r.asked.Add(every)
}

// photographer makes JPEGs of key frames, of whatever codec they come in.
type photographer struct {
	halt  <-chan struct{}
	codec string
	made  pictures // nil before the first
}

func (p *photographer) expose(frame *sfu.KeyFrame) ([]byte, error) {
	if p.made == nil || p.codec != frame.Codec {
		p.close()
		made, err := newPictures(frame.Codec, p.halt)
		if err != nil {
			return nil, err
		}
		p.made, p.codec = made, frame.Codec
	}
	return p.made.jpeg(frame.Units)
}

func (p *photographer) close() {
	if p.made != nil {
		p.made.close()
		p.made = nil
	}
}

// picture turns key frames into messages until the adapter ends: the newest that is there when a picture is due.
func (a *Adapter) picture(tap *sfu.Tap, out *backlog) {
	camera := &photographer{halt: a.life.Done()}
	defer camera.close()
	var timing rhythm
	var newest *sfu.KeyFrame
	var seq uint32
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-tap.Arrived():
		case <-timer.C:
		case <-a.life.Done():
			return
		}
		if frame, ok := tap.KeyFrame(); ok {
			newest = &frame
		}
		now, every := time.Now(), a.cfg.Limits().Picture
		asks := max(every, askPause)
		switch {
		case newest != nil && timing.ready(now, every):
			jpeg, err := camera.expose(newest)
			if err != nil {
				a.dropped.Add(1)
				a.note(err)
			} else {
				a.queue(out, Packet{SequenceNumber: seq, Timestamp: newest.Timestamp, Payload: jpeg})
				seq++
			}
			newest = nil
		case newest == nil && timing.ask(now, asks):
			tap.RequestKeyFrame(asks)
		}
		timer.Reset(time.Until(timing.next(time.Now(), asks)))
	}
}
