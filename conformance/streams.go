package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// flows ends the case unless n more packets come, whole and in order.
func (t *T) flows(ctx context.Context, what string, s *sfutest.Subscriber, n uint64) sfutest.SubscriberStats {
	got, err := s.WaitMore(ctx, n)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.checkWhole(what, got)
	return got
}

// pictures ends the case unless the content comes, of which a key frame is a part. On the way to a service that may be lost: each second one
// is asked for, as decoders do. An emulator has to send it unasked.
func (t *T) pictures(ctx context.Context, s *sfutest.Subscriber, content func(sfutest.SubscriberStats) bool) sfutest.SubscriberStats {
	for {
		patience, cancel := ctx, context.CancelFunc(func() {})
		if !t.target.Emulator {
			patience, cancel = context.WithTimeout(ctx, time.Second)
		}
		got, err := s.Wait(patience, content)
		cancel()
		if err == nil {
			return got
		}
		if patience == ctx || ctx.Err() != nil {
			t.Fatalf("no key frame with the rest: %v", err)
		}
		_ = s.RequestKeyFrame() // there may be no track yet
	}
}

// keyFrame waits for the first one.
func keyFrame(s sfutest.SubscriberStats) bool { return s.KeyFrames > 0 }

// switchTime bounds the wait for another source or layer, which counts against no deadline: contract 3.6 records up to 13 s.
const switchTime = 20 * time.Second

// turnsTo ends the case unless the newest packet is soon one of the publisher's; the stream is checked for seams.
func (t *T) turnsTo(ctx context.Context, what string, s *sfutest.Subscriber, source *sfutest.Publisher) sfutest.SubscriberStats {
	resume := t.allowed.pause()
	defer resume()
	ctx, cancel := context.WithTimeoutCause(ctx, switchTime, fmt.Errorf("not within %s", switchTime))
	defer cancel()
	got, err := s.WaitStream(ctx, source.Stream())
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.checkSeamless(what, got)
	return got
}

// mayMiss says whether a stream with so many gaps may be a whole one. An emulator is near. On the way to a service packets get lost,
// which the suite's peers do not ask for again, and which says nothing of the service: up to one in twenty, and a burst of eight. Where it
// is the publisher's key frame, which the service asks for again, all that passed it meanwhile is missing behind it.
func (t *T) mayMiss(s sfutest.SubscriberStats) bool {
	return s.Missing == 0 || !t.target.Emulator && s.Missing <= 8+s.Packets/20+s.Overtaken
}

// strays says whether packets came again, or late, which proves nothing on the way to a service.
func (t *T) strays(s sfutest.SubscriberStats) bool {
	return t.target.Emulator && s.Duplicates+s.Late != 0
}

// checkWhole checks what holds for every forwarded track (contract 3.3).
func (t *T) checkWhole(what string, s sfutest.SubscriberStats) {
	switch {
	case !t.mayMiss(s) || s.Corrupt+s.Unstamped+s.SequenceSteps+s.TimestampSteps != 0:
		t.Errorf("%s: the stream is damaged: %+v", what, s)
	case len(s.SSRCs) != 1 || len(s.PayloadTypes) != 1 || len(s.Streams) != 1:
		t.Errorf("%s: the stream changed its face: %+v", what, s)
	}
}

// mostAhead is how much farther than the time that has passed the timestamps of a switch may go.
const mostAhead = 3 * time.Second

// checkSeamless checks that a stream whose source may have changed is one for the decoder (contract 3.3). Of the numbers of VP8's pictures
// the contract says nothing.
func (t *T) checkSeamless(what string, s sfutest.SubscriberStats) {
	if !t.mayMiss(s) || t.strays(s) || s.Corrupt+s.Unstamped+s.SequenceSteps+s.TimestampSteps != 0 || t.target.Emulator && s.PictureSteps != 0 {
		t.Errorf("%s: the stream is damaged: %+v", what, s)
	}
	if len(s.SSRCs) != 1 || len(s.PayloadTypes) != 1 {
		t.Errorf("%s: the stream changed its face: %+v", what, s)
	}
	for _, change := range s.Switches {
		ahead := time.Duration(change.Timestamp)*time.Second/90000 - change.Captured // the clock of video; that of audio makes it less
		follows := change.Sequence == 1 && change.Key
		if s.Missing+s.Late > 0 && t.mayMiss(s) { // its first packets may be among those that are missing
			follows = change.Sequence >= 1
		}
		if !follows || change.Timestamp <= 0 || ahead > mostAhead {
			t.Errorf("%s: a switch has a seam: %+v", what, change)
		}
	}
}

// listens is how long a case listens for what must not come: at a service, whatever is on its way takes longer.
func (t *T) listens() time.Duration {
	if t.target.Emulator {
		return 500 * time.Millisecond
	}
	return 2 * time.Second
}

// quiet checks that nothing more comes for a while, after the packets on their way have had time to arrive.
func (t *T) quiet(ctx context.Context, what string, s *sfutest.Subscriber) {
	begun := s.Stats().Packets
	t.eventually(ctx, fmt.Sprintf("%s goes on", what), func() bool {
		before := s.Stats().Packets
		short, cancel := context.WithTimeout(ctx, t.listens())
		defer cancel()
		_, err := s.WaitMore(short, 1)
		return err != nil && s.Stats().Packets == before
	})
	t.Logf("%s: %d packets at first, %d in the end", what, begun, s.Stats().Packets)
}
