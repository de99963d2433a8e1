package udp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// forbidSegments makes the kernel refuse UDP_SEGMENT on a socket: it segments only what it may also give checksums.
func forbidSegments(t *testing.T, s *Socket) {
	t.Helper()
	var err error
	if e := s.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) }); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRunsAreSegmentedByTheKernel(t *testing.T) {
	from, to := listen(t, loopback4), newInbox(t, loopback4)
	b := from.NewBatch()
	var want [][]byte
	for i := range 10 {
		want = append(want, datagram(i, 800))
		b.add(want[i], to.sock.Addr())
	}
	if len(b.msgs) != 1 || b.msgs[0].count != 10 {
		t.Fatalf("10 equal datagrams to one receiver became %d messages, want one run", len(b.msgs))
	}
	b.Flush()
	to.expect(t, from.Addr(), want)
	want = nil
	for i := range 2*maxSegments + 1 { // more than the kernel cuts out of one run
		want = append(want, datagram(i, 50))
		b.add(want[i], to.sock.Addr())
	}
	if len(b.msgs) != 3 {
		t.Errorf("%d equal datagrams became %d messages, want 3", len(want), len(b.msgs))
	}
	b.Flush()
	to.expect(t, from.Addr(), want)
	if from.gsoRefused.Load() {
		t.Error("this kernel refuses segmentation: the fast path is not tested here")
	}
}

func TestRefusedSegmentationLosesNothing(t *testing.T) {
	from, other := listen(t, loopback4), listen(t, loopback4)
	forbidSegments(t, from)
	boxes := []*inbox{newInbox(t, loopback4), newInbox(t, loopback4)}
	want := make([][][]byte, len(boxes))
	b := from.NewBatch()
	add := func(i, size, to int) {
		want[to] = append(want[to], datagram(i, size))
		b.add(datagram(i, size), boxes[to].sock.Addr())
	}
	for i := range 20 { // a run, a run with a short end to another, a single one, a run again
		add(i, 700, 0)
	}
	for i := range 5 {
		add(100+i, 600, 1)
	}
	add(105, 31, 1)
	add(200, 900, 0)
	add(201, 100, 1)
	add(202, 100, 1)
	b.Flush()
	for i, box := range boxes {
		box.expect(t, from.Addr(), want[i])
	}
	if from.Dropped() != 0 || from.Sent() != 29 {
		t.Errorf("sent %d, dropped %d, want 29 and 0", from.Sent(), from.Dropped())
	}

	// The socket is not asked again, by any Batch; other sockets are not concerned.
	b = from.NewBatch()
	want = make([][][]byte, len(boxes))
	for i := range 4 {
		add(300+i, 700, 0)
	}
	if len(b.msgs) != 4 {
		t.Errorf("4 datagrams after the refusal are %d messages, want 4", len(b.msgs))
	}
	b.Flush()
	boxes[0].expect(t, from.Addr(), want[0])
	if !from.gsoRefused.Load() || other.gsoRefused.Load() {
		t.Errorf("refused: %v on the socket, %v on another, want true and false", from.gsoRefused.Load(), other.gsoRefused.Load())
	}
}
