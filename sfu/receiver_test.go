package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

var epoch = time.Unix(1_700_000_000, 0)

func asked(pairs []rtcp.NackPair) []uint16 {
	var seqs []uint16
	for i := range pairs {
		seqs = append(seqs, pairs[i].PacketList()...)
	}
	return seqs
}

func TestLossIsAskedForUntilItArrives(t *testing.T) {
	r := newReceiver(true)
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	for _, step := range []struct {
		seq  uint16
		want verdict
	}{{65534, next}, {65535, next}, {2, gap}, {2, duplicate}, {65535, duplicate}} {
		if got := r.receive(step.seq, 0, 90000, epoch); got != step.want {
			t.Fatalf("packet %d: verdict %d, want %d", step.seq, got, step.want)
		}
	}
	if pairs, lost := r.due(at(0)); lost || len(asked(pairs)) != 2 || asked(pairs)[0] != 0 || asked(pairs)[1] != 1 {
		t.Fatalf("asked for %v, want 0 and 1 across the wrap", asked(pairs))
	}
	if pairs, _ := r.due(at(10)); len(pairs) != 0 {
		t.Fatalf("asked again after 10 ms: %v", asked(pairs))
	}
	if got := r.receive(0, 0, 90000, epoch); got != next {
		t.Fatalf("a retransmission got verdict %d", got)
	}
	if pairs, _ := r.due(at(60)); len(asked(pairs)) != 1 || asked(pairs)[0] != 1 {
		t.Fatalf("asked for %v, want 1", asked(pairs))
	}
	gaveUp := false
	for i := range 2 * nackTries {
		_, lost := r.due(at(200 + 100*i))
		gaveUp = gaveUp || lost
	}
	if !gaveUp || len(r.missing) != 0 {
		t.Fatalf("packet 1 is not given up: %v", r.missing)
	}
}

func TestHugeGapNeedsAKeyFrame(t *testing.T) {
	r := newReceiver(true)
	r.receive(0, 0, 90000, epoch)
	if got := r.receive(maxMissing+2, 0, 90000, epoch); got != gap {
		t.Fatalf("verdict %d", got)
	}
	if pairs, lost := r.due(epoch); !lost || len(pairs) != 0 {
		t.Fatalf("lost %v, asked for %v", lost, asked(pairs))
	}
	if _, lost := r.due(epoch); lost {
		t.Fatal("the same gap is reported twice")
	}
}

func TestManyGapsForgetTheOldest(t *testing.T) {
	r := newReceiver(true)
	for seq := range 2*maxMissing + 10 {
		if seq%2 == 0 {
			r.receive(uint16(seq), 0, 90000, epoch)
		}
	}
	if len(r.missing) > maxMissing {
		t.Fatalf("%d packets remembered", len(r.missing))
	}
	if _, lost := r.due(epoch); !lost {
		t.Fatal("what was forgotten needs a key frame")
	}
}

func TestAudioIsNotAskedFor(t *testing.T) {
	r := newReceiver(false)
	r.receive(1, 0, 48000, epoch)
	if got := r.receive(5, 0, 48000, epoch); got != next {
		t.Fatalf("verdict %d", got)
	}
	if got := r.receive(3, 0, 48000, epoch); got != next {
		t.Fatalf("a late packet got verdict %d", got)
	}
}

func TestReportCountsLossAndDelay(t *testing.T) {
	r := newReceiver(true)
	for _, seq := range []uint16{10, 11, 13, 14} {
		r.receive(seq, 0, 90000, epoch)
	}
	sr := senderReport{ntp: 0x0001_0002_0003_0004, arrived: epoch}
	got := r.report(7, sr, epoch.Add(500*time.Millisecond))
	want := rtcp.ReceptionReport{SSRC: 7, FractionLost: 51, TotalLost: 1, LastSequenceNumber: 14, LastSenderReport: 0x0002_0003, Delay: 32768, Jitter: got.Jitter}
	if got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if again := r.report(7, senderReport{}, epoch); again.FractionLost != 0 || again.TotalLost != 1 || again.LastSenderReport != 0 {
		t.Fatalf("second report %+v", again)
	}
}

func TestCacheKeepsTheNewest(t *testing.T) {
	c := newCache()
	c.put([]packet{{seq: 5, payload: []byte("old")}, {seq: 6, payload: []byte("six"), marker: true}})
	c.put([]packet{{seq: 5 + cacheSize, payload: []byte("new")}})
	if c.read(5, func(*cached) {}) {
		t.Error("an overwritten packet is found")
	}
	var got string
	if !c.read(5+cacheSize, func(p *cached) { got = string(p.payload) }) || got != "new" {
		t.Errorf("got %q", got)
	}
	if !c.read(6, func(p *cached) { got = string(p.payload) }) || got != "six" {
		t.Errorf("got %q", got)
	}
	if c.read(7, func(*cached) {}) {
		t.Error("a packet that never came is found")
	}
}

func TestCandidateOrderAndNumbers(t *testing.T) {
	s := newSFU(t, Config{})
	port := s.LocalAddrs()[0].Port()
	s.SetAdvertise(nil)
	list := s.Candidates()
	if len(list) != 1 || list[0].priority != 2130706431 || list[0].TCP {
		t.Fatalf("candidates %v", list)
	}
	s.SetTCP(s.LocalAddrs())
	list = s.Candidates()
	if len(list) != 2 || !list[1].TCP || list[1].priority >= list[0].priority {
		t.Fatalf("candidates %v", list)
	}
	s.SetAdvertise(addrPorts("192.0.2.1:0", "192.0.2.2:9", "192.0.2.3:0", "192.0.2.4:0", "192.0.2.5:0", "192.0.2.6:0", "192.0.2.7:0"))
	list = s.Candidates()
	if len(list) != maxCandidates || !list[maxCandidates-1].TCP {
		t.Fatalf("%d candidates, the last %v", len(list), list[len(list)-1])
	}
	if list[0].Addr.Port() != port || list[1].Addr.Port() != 9 {
		t.Errorf("ports %v %v, want %d and 9", list[0].Addr, list[1].Addr, port)
	}
	for i := 1; i < len(list); i++ {
		if list[i].priority >= list[i-1].priority {
			t.Errorf("candidate %d has priority %d after %d", i, list[i].priority, list[i-1].priority)
		}
	}
}
