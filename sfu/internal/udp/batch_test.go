package udp

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	loopback4 = "127.0.0.1:0"
	loopback6 = "[::1]:0"
)

// inbox is a socket whose datagrams are kept in the order of their arrival.
type inbox struct {
	sock *Socket
	got  chan []byte
	from chan netip.AddrPort
}

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func listen(tb testing.TB, addr string) *Socket {
	tb.Helper()
	s, err := Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func newInbox(tb testing.TB, addr string) *inbox {
	tb.Helper()
	in := &inbox{sock: listen(tb, addr), got: make(chan []byte, 4096), from: make(chan netip.AddrPort, 4096)}
	var served sync.WaitGroup
	served.Go(func() {
		_ = in.sock.Serve(func(burst []Packet) {
			for _, p := range burst {
				in.got <- bytes.Clone(p.Data)
				in.from <- p.From
			}
		})
	})
	tb.Cleanup(func() {
		_ = in.sock.Close()
		served.Wait()
	})
	return in
}

// datagram is n bytes that tell which one they are, as far as they have room for it.
func datagram(number, n int) []byte {
	b := make([]byte, max(n, 4))
	for i := range b {
		b[i] = byte(i*7 + number*31)
	}
	binary.BigEndian.PutUint32(b, uint32(number))
	return b[:n]
}

// expect reads the wanted datagrams in their order.
func (in *inbox) expect(t fataler, sender netip.AddrPort, want [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for i, w := range want {
		select {
		case got := <-in.got:
			if !bytes.Equal(got, w) {
				t.Fatalf("datagram %d of %d: %d bytes %x..., want %d bytes %x...", i, len(want), len(got), got[:min(8, len(got))], len(w), w[:min(8, len(w))])
			}
			if from := <-in.from; from != sender {
				t.Fatalf("datagram %d came from %s, want %s", i, from, sender)
			}
		case <-ctx.Done():
			t.Fatalf("datagram %d of %d did not arrive", i, len(want))
		}
	}
	select {
	case got := <-in.got:
		t.Fatalf("%d bytes that nobody sent, or sent twice", len(got))
	default:
	}
}

func (b *Batch) add(data []byte, to netip.AddrPort) {
	copy(b.Reserve(len(data)+16), data) // more is reserved than used, as sealing does
	b.Commit(len(data), to)
}

// families are the loopback addresses that this machine has.
func families(t *testing.T) []string {
	t.Helper()
	out := []string{loopback4}
	if s, err := Listen(netip.MustParseAddrPort(loopback6)); err == nil {
		_ = s.Close()
		out = append(out, loopback6)
	}
	return out
}

func TestBatchDeliversInOrder(t *testing.T) {
	repeat := func(size, n int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = size
		}
		return out
	}
	for name, sizes := range map[string][]int{
		"one":                            {1200},
		"equal":                          repeat(1000, 40),
		"more than one run's segments":   repeat(50, 3*maxDatagram/50),
		"more than one run's bytes":      repeat(1400, 60),
		"shorter at the end":             append(repeat(1000, 5), 17),
		"longer after shorter":           {900, 900, 100, 900, 900, 901, 900, 3, 3, 4},
		"falling":                        {1000, 900, 800, 700, 600},
		"rising":                         {600, 700, 800, 900, 1000},
		"single bytes":                   repeat(1, 10),
		"as long as a datagram may be":   repeat(maxDatagram, 30),
		"short ones between equal longs": {1200, 1200, 40, 1200, 1200, 40, 1200, 1200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, addr := range families(t) {
				from, to := listen(t, addr), newInbox(t, addr)
				b := from.NewBatch()
				var want [][]byte
				for i, n := range sizes {
					want = append(want, datagram(i, n))
					b.add(want[i], to.sock.Addr())
				}
				b.Flush()
				to.expect(t, from.Addr(), want)
				if from.Sent() != uint64(len(sizes)) || from.Dropped() != 0 {
					t.Errorf("%s: sent %d, dropped %d, want %d and 0", addr, from.Sent(), from.Dropped(), len(sizes))
				}
			}
		})
	}
}

func TestBatchKeepsReceiversApart(t *testing.T) {
	for _, addr := range families(t) {
		from := listen(t, addr)
		boxes := []*inbox{newInbox(t, addr), newInbox(t, addr), newInbox(t, addr)}
		want := make([][][]byte, len(boxes))
		b := from.NewBatch()
		for round := range 3 { // a Batch is used again after Flush
			for i := range 30 {
				to := []int{0, 0, 1, 0, 2, 2, 2, 1}[i%8]
				d := datagram(100*round+i, 300+100*(i%2))
				want[to] = append(want[to], d)
				b.add(d, boxes[to].sock.Addr())
			}
			b.Flush()
		}
		for i, box := range boxes {
			box.expect(t, from.Addr(), want[i])
		}
	}
}

// TestFullBatchFlushesItself commits more bytes, and more messages, than a Batch holds.
func TestFullBatchFlushesItself(t *testing.T) {
	for name, size := range map[string]int{"bytes": 2000, "messages": 20} {
		t.Run(name, func(t *testing.T) {
			from := listen(t, loopback4)
			boxes := []*inbox{newInbox(t, loopback4), newInbox(t, loopback4), newInbox(t, loopback4), newInbox(t, loopback4)}
			want := make([][][]byte, len(boxes))
			b := from.NewBatch()
			for i := range 240 {
				d := datagram(i, size)
				want[i%4] = append(want[i%4], d)
				b.add(d, boxes[i%4].sock.Addr())
				if i%40 == 39 { // the receivers' kernel buffers are smaller than all of this
					for n := range boxes {
						select {
						case first := <-boxes[n].got:
							if !bytes.Equal(first, want[n][0]) {
								t.Fatalf("receiver %d: wrong datagram", n)
							}
							<-boxes[n].from
							want[n] = want[n][1:]
						default: // not flushed yet
						}
					}
				}
			}
			if sent := from.Sent(); sent == 0 || sent == 240 {
				t.Fatalf("%d datagrams left before Flush, want some and not all of 240", sent)
			}
			b.Flush()
			for i, box := range boxes {
				box.expect(t, from.Addr(), want[i])
			}
		})
	}
}

func TestReservedAndNotCommittedIsNotSent(t *testing.T) {
	from, to := listen(t, loopback4), newInbox(t, loopback4)
	b := from.NewBatch()
	b.add(datagram(1, 100), to.sock.Addr())
	copy(b.Reserve(100), datagram(9, 100))
	b.Flush()
	copy(b.Reserve(100), datagram(9, 100))
	b.Flush()
	b.add(datagram(2, 100), to.sock.Addr())
	b.Flush()
	to.expect(t, from.Addr(), [][]byte{datagram(1, 100), datagram(2, 100)})
}

func TestBatchOfAnySizesArrivesWhole(t *testing.T) {
	from := listen(t, loopback4)
	boxes := []*inbox{newInbox(t, loopback4), newInbox(t, loopback4), newInbox(t, loopback4)}
	b := from.NewBatch()
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		want := make([][][]byte, len(boxes))
		size, to := 1000, 0
		for range rapid.IntRange(0, 120).Draw(t, "datagrams") {
			if rapid.IntRange(0, 3).Draw(t, "other size") == 0 {
				size = rapid.IntRange(1, maxDatagram).Draw(t, "size")
			}
			if rapid.IntRange(0, 3).Draw(t, "other receiver") == 0 {
				to = rapid.IntRange(0, len(boxes)-1).Draw(t, "receiver")
			}
			if rapid.IntRange(0, 20).Draw(t, "flush") == 0 {
				b.Flush()
			}
			number++
			d := datagram(number, size)
			want[to] = append(want[to], d)
			b.add(d, boxes[to].sock.Addr())
		}
		b.Flush()
		for i, box := range boxes {
			box.expect(t, from.Addr(), want[i])
		}
	})
}

func TestServeEndsAtClose(t *testing.T) {
	for _, addr := range families(t) {
		s := listen(t, addr)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		begun, served := make(chan struct{}, 1), make(chan error, 1)
		go func() { served <- s.Serve(func([]Packet) { begun <- struct{}{} }) }()
		if err := s.WriteTo([]byte("x"), s.Addr()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-begun:
		case <-ctx.Done():
			t.Fatalf("%s: Serve handed nothing out", addr)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("%s: Serve ended with %v, want nil", addr, err)
			}
		case <-ctx.Done():
			t.Fatalf("%s: Serve did not end", addr)
		}
		_ = s.Close() // a second time is harmless
		if err := s.Serve(func([]Packet) {}); err != nil {
			t.Errorf("%s: Serve on a closed socket: %v, want nil", addr, err)
		}
		b := s.NewBatch()
		b.add([]byte("void"), s.Addr())
		b.Flush()
	}
}

func TestLongDatagramsAreCut(t *testing.T) {
	from, to := listen(t, loopback4), newInbox(t, loopback4)
	long := datagram(1, maxDatagram+500)
	if err := from.WriteTo(long, to.sock.Addr()); err != nil {
		t.Fatal(err)
	}
	to.expect(t, from.Addr(), [][]byte{long[:maxDatagram]})
}

func TestListenRefusesAForeignAddress(t *testing.T) {
	if s, err := Listen(netip.MustParseAddrPort("192.0.2.1:0")); err == nil {
		_ = s.Close()
		t.Fatal("a socket on an address that this machine does not have")
	}
}
