package sfu

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/callsemu/callsemu/sfu/internal/udp"
)

func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

// readFrames runs the reader's loop on what pieces bring, and returns the frames that came out of each burst. The far end
// closes when that many frames have come out.
func readFrames(t *testing.T, frames int, pieces ...[]byte) (bursts [][][]byte) {
	t.Helper()
	ours, theirs := net.Pipe()
	conn := newTCPConn(theirs)
	all := make(chan struct{})
	if frames == 0 {
		close(all)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for _, p := range pieces {
			if _, err := ours.Write(p); err != nil {
				return
			}
		}
		select {
		case <-all:
		case <-conn.closed:
		}
		_ = ours.Close()
	})
	conn.read(func(burst []udp.Packet) {
		var got [][]byte
		for _, p := range burst {
			got = append(got, bytes.Clone(p.Data))
			if frames--; frames == 0 {
				close(all)
			}
		}
		bursts = append(bursts, got)
	}, func() bool { return true })
	writer.Wait()
	select {
	case <-conn.closed:
	default:
		t.Error("the end of the stream does not close the connection")
	}
	return bursts
}

func TestTCPFramesArriveWholeHoweverTheyAreCut(t *testing.T) {
	var want [][]byte
	for i, n := range []int{1, 0, 300, maxPacket, 2, 256, 257} {
		want = append(want, bytes.Repeat([]byte{byte(i + 1)}, n))
	}
	var stream []byte
	for _, w := range want {
		stream = append(stream, frame(w)...)
	}
	for _, size := range []int{1, 2, 3, 7, 100, 1000, len(stream)} {
		t.Run(fmt.Sprintf("pieces of %d", size), func(t *testing.T) {
			got := slices.Concat(readFrames(t, len(want), slices.Collect(slices.Chunk(stream, size))...)...)
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%d frames came out of %d, or not the same", len(got), len(want))
			}
		})
	}
}

// TestTCPBurstTakesWhatIsThere: frames that have arrived together are forwarded together, and nobody waits for the rest of
// a cut one.
func TestTCPBurstTakesWhatIsThere(t *testing.T) {
	one := frame([]byte("one"))
	var many []byte
	for range tcpBurst + 3 {
		many = append(many, one...)
	}
	var sizes []int
	for _, burst := range readFrames(t, 2+1+tcpBurst+3, slices.Concat(one, one, one[:4]), one[4:], many) {
		sizes = append(sizes, len(burst))
	}
	if want := []int{2, 1, tcpBurst, 3}; !slices.Equal(sizes, want) {
		t.Errorf("bursts of %v, want %v", sizes, want)
	}
}

func TestTCPFrameLongerThanAPacketEndsTheConnection(t *testing.T) {
	good := frame([]byte("good"))
	got := slices.Concat(readFrames(t, 1, good, frame(make([]byte, maxPacket+1)), good)...)
	if len(got) != 1 || string(got[0]) != "good" {
		t.Errorf("%d frames, want the one before the long one", len(got))
	}
	if got := readFrames(t, 0, good[:3]); len(got) != 0 {
		t.Errorf("a cut frame gave %v", got)
	}
}

// TestSlowTCPReaderLosesPacketsAndDelaysNobody: nothing is read at the far end, and enqueue returns all the same.
func TestSlowTCPReaderLosesPacketsAndDelaysNobody(t *testing.T) {
	ours, theirs := net.Pipe()
	conn := newTCPConn(theirs)
	var writer sync.WaitGroup
	writer.Go(conn.write)
	const packets, size = 3 * tcpQueue, 1000
	enqueued := make(chan struct{})
	go func() {
		defer close(enqueued)
		for i := range packets {
			packet := make([]byte, size)
			binary.BigEndian.PutUint32(packet, uint32(i))
			conn.enqueue(packet)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	select {
	case <-enqueued:
	case <-ctx.Done():
		t.Fatal("a slow reader blocks the packet path")
	}
	dropped := conn.dropped.Load()
	if dropped == 0 || dropped > packets-tcpQueue {
		t.Errorf("%d of %d packets dropped with a queue of %d", dropped, packets, tcpQueue)
	}
	// What was kept comes in order, from the first packet on.
	var last uint32
	for i := range packets - dropped {
		var b [2 + size]byte
		must(t, ours.SetReadDeadline(time.Now().Add(5*time.Second)))
		if _, err := io.ReadFull(ours, b[:]); err != nil {
			t.Fatal(err)
		}
		n := binary.BigEndian.Uint32(b[2:])
		if binary.BigEndian.Uint16(b[:]) != size || i == 0 && n != 0 || i > 0 && n <= last {
			t.Fatalf("frame %d is %x after packet %d", i, b[:6], last)
		}
		last = n
	}
	conn.enqueue([]byte("more")) // the writer may be in the middle of a write when the connection closes
	conn.close()
	conn.close()
	writer.Wait()
	for range 2 * tcpQueue {
		conn.enqueue([]byte("void")) // after the end nothing waits either
	}
}
