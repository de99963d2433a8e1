package rewrite

import (
	"testing"

	"pgregory.net/rapid"
)

func TestFirstPacketCarriesTheChosenNumbers(t *testing.T) {
	m := New[string](65535, 1000)
	m.Switch("a", Numbers{Seq: 7, TS: 50, Picture: 300, TL0: 9}, 0)
	for _, c := range []struct{ in, want Numbers }{
		{Numbers{7, 50, 300, 9}, Numbers{65535, 1000, 300, 9}},
		{Numbers{8, 3050, 301, 10}, Numbers{0, 4000, 301, 10}},
	} {
		if out, ok := m.Map(c.in); !ok || out != c.want {
			t.Fatalf("got %+v %v, want %+v", out, ok, c.want)
		}
	}
}

func TestSwitchContinuesNumbersAndMovesTimeOn(t *testing.T) {
	m := New[string](100, 0)
	m.Switch("a", Numbers{Seq: 10, Picture: 0x7ffe, TL0: 254}, 0)
	m.Map(Numbers{Seq: 10, Picture: 0x7ffe, TL0: 254})
	m.Map(Numbers{Seq: 12, TS: 3000, Picture: 0x7fff, TL0: 255}) // 11 is late
	m.Switch("b", Numbers{Seq: 40000, TS: 77, Picture: 5, TL0: 1}, 0)
	if out, ok := m.Map(Numbers{40000, 77, 5, 1}); !ok || out != (Numbers{103, 3001, 0, 0}) {
		t.Fatalf("got %+v %v, want 103 3001 0 0: picture numbers wrap at 15 and 8 bits", out, ok)
	}
	if _, ok := m.Map(Numbers{Seq: 39999}); ok {
		t.Fatal("a packet from before the switch was mapped onto the other source's number")
	}
	for out, want := range map[uint16]struct {
		source string
		seq    uint16
	}{100: {"a", 10}, 101: {"a", 11}, 102: {"a", 12}, 103: {"b", 40000}} {
		source, seq, _, ok := m.Trace(out)
		if !ok || source != want.source || seq != want.seq {
			t.Errorf("trace %d: got %s %d %v, want %v", out, source, seq, ok, want)
		}
	}
	if _, _, by, _ := m.Trace(103); by.Apply(Numbers{0, 77, 5, 1}) != (Numbers{0, 3001, 0, 0}) {
		t.Error("a retransmission gets other numbers than the packet had")
	}
	if _, _, _, ok := m.Trace(104); ok {
		t.Error("traced a number that was never sent")
	}
	if _, _, _, ok := m.Trace(99); ok {
		t.Error("traced a number from before the stream")
	}
}

// TestOutgoingNumbersNeverCollide drives a Mapper with lost, late and switching sources: each outgoing number belongs to
// one packet, rises by one for consecutive packets and traces back to its source; time and pictures never go back at a
// switch.
func TestOutgoingNumbersNeverCollide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type origin struct {
			source int
			seq    uint16
		}
		m := New[int](rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts"))
		seen := map[uint16]origin{}
		source := -1
		var in, before Numbers
		for range rapid.IntRange(1, 500).Draw(t, "packets") {
			switched := source < 0 || rapid.IntRange(0, 99).Draw(t, "switch") == 0
			if switched {
				source++
				in = Numbers{rapid.Uint16().Draw(t, "in"), rapid.Uint32().Draw(t, "in ts"), rapid.Uint16Range(0, 0x7fff).Draw(t, "picture"), rapid.Uint8().Draw(t, "tl0")}
				m.Switch(source, in, 10)
			} else {
				in.Seq += uint16(rapid.IntRange(1, 3).Draw(t, "step"))
				in.TS += 3000
				in.Picture = (in.Picture + 1) & 0x7fff
				in.TL0++
			}
			late := in
			late.Seq -= uint16(rapid.IntRange(0, 5).Draw(t, "late"))
			for i, n := range []Numbers{in, late} {
				out, ok := m.Map(n)
				if !ok {
					if i == 0 {
						t.Fatalf("the newest packet of source %d was refused", source)
					}
					continue
				}
				o := origin{source, n.Seq}
				if other, used := seen[out.Seq]; used && other != o {
					t.Fatalf("outgoing %d is %v and %v", out.Seq, other, o)
				}
				seen[out.Seq] = o
				gotSource, gotSeq, by, ok := m.Trace(out.Seq)
				if !ok || gotSource != source || gotSeq != n.Seq {
					t.Fatalf("trace of %d gave %d %d %v, want %v", out.Seq, gotSource, gotSeq, ok, o)
				}
				if again := by.Apply(n); again.TS != out.TS || again.Picture != out.Picture || again.TL0 != out.TL0 {
					t.Fatalf("retransmission of %+v got %+v, want %+v", n, again, out)
				}
				if i == 0 {
					if switched && source > 0 && (int32(out.TS-before.TS) <= 0 || out.Picture != (before.Picture+1)&0x7fff || out.TL0 != before.TL0+1) {
						t.Fatalf("switch from %+v to %+v", before, out)
					}
					before = out
				}
			}
		}
	})
}

func TestALongSourceWrapsManyTimes(t *testing.T) {
	m := New[int](0, 0)
	m.Switch(1, Numbers{Seq: 500}, 0)
	for i := range 300_000 {
		out, ok := m.Map(Numbers{Seq: uint16(500 + i), TS: uint32(i)})
		if !ok || out.Seq != uint16(i) {
			t.Fatalf("packet %d: got %+v %v", i, out, ok)
		}
	}
	if _, seq, _, ok := m.Trace(uint16((300_000 - 1) % 65536)); !ok || seq != uint16((500+299_999)%65536) {
		t.Fatalf("trace after wraps: %d %v", seq, ok)
	}
}

func FuzzMapper(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 255, 254, 128, 7})
	f.Fuzz(func(t *testing.T, script []byte) {
		m := New[byte](65000, 0)
		for _, b := range script {
			n := Numbers{Seq: uint16(b) * 257, TS: uint32(b) * 1000, Picture: uint16(b), TL0: b}
			if b%7 == 0 {
				m.Switch(b, n, uint32(b))
			}
			if out, ok := m.Map(n); ok {
				if _, seq, _, traced := m.Trace(out.Seq); traced && seq != n.Seq {
					t.Fatalf("%+v left as %d, which traces to %d", n, out.Seq, seq)
				}
			}
		}
	})
}
