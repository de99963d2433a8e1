package rewrite

import (
	"testing"

	"pgregory.net/rapid"
)

func TestFirstPacketCarriesTheChosenNumbers(t *testing.T) {
	m := New[string](65535, 1000)
	m.Switch("a", 7, 50, 0)
	seq, ts, ok := m.Map(7, 50)
	if !ok || seq != 65535 || ts != 1000 {
		t.Fatalf("got %d %d %v, want 65535 1000 true", seq, ts, ok)
	}
	if seq, ts, _ = m.Map(8, 3050); seq != 0 || ts != 4000 {
		t.Fatalf("got %d %d, want 0 4000", seq, ts)
	}
}

func TestSwitchContinuesNumbersAndMovesTimeOn(t *testing.T) {
	m := New[string](100, 0)
	m.Switch("a", 10, 0, 0)
	m.Map(10, 0)
	m.Map(12, 3000) // 11 is late
	m.Switch("b", 40000, 77, 0)
	seq, ts, ok := m.Map(40000, 77)
	if !ok || seq != 103 || ts != 3001 {
		t.Fatalf("got %d %d %v, want 103 3001 true", seq, ts, ok)
	}
	if _, _, ok := m.Map(39999, 0); ok {
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
	if _, _, _, ok := m.Trace(104); ok {
		t.Error("traced a number that was never sent")
	}
	if _, _, _, ok := m.Trace(99); ok {
		t.Error("traced a number from before the stream")
	}
}

// TestOutgoingNumbersNeverCollide drives a Mapper with lost, late and switching sources: each outgoing number belongs to
// one packet, rises by one for consecutive packets and traces back to its source.
func TestOutgoingNumbersNeverCollide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type origin struct {
			source int
			seq    uint16
		}
		m := New[int](rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts"))
		seen := map[uint16]origin{}
		source := -1
		var seq uint16
		var ts uint32
		for range rapid.IntRange(1, 500).Draw(t, "packets") {
			if source < 0 || rapid.IntRange(0, 99).Draw(t, "switch") == 0 {
				source++
				seq, ts = rapid.Uint16().Draw(t, "in"), rapid.Uint32().Draw(t, "in ts")
				m.Switch(source, seq, ts, 10)
			} else {
				seq += uint16(rapid.IntRange(1, 3).Draw(t, "step"))
				ts += 3000
			}
			late := uint16(rapid.IntRange(0, 5).Draw(t, "late"))
			for _, s := range []uint16{seq, seq - late} {
				out, _, ok := m.Map(s, ts)
				if !ok {
					if s == seq {
						t.Fatalf("the newest packet of source %d was refused", source)
					}
					continue
				}
				o := origin{source, s}
				if before, used := seen[out]; used && before != o {
					t.Fatalf("outgoing %d is %v and %v", out, before, o)
				}
				seen[out] = o
				if gotSource, gotSeq, _, ok := m.Trace(out); !ok || gotSource != source || gotSeq != s {
					t.Fatalf("trace of %d gave %d %d %v, want %v", out, gotSource, gotSeq, ok, o)
				}
			}
		}
	})
}

func TestALongSourceWrapsManyTimes(t *testing.T) {
	m := New[int](0, 0)
	m.Switch(1, 500, 0, 0)
	for i := range 300_000 {
		out, _, ok := m.Map(uint16(500+i), uint32(i))
		if !ok || out != uint16(i) {
			t.Fatalf("packet %d: got %d %v", i, out, ok)
		}
	}
	if _, seq, _, ok := m.Trace(uint16((300_000 - 1) % 65536)); !ok || seq != uint16((500+299_999)%65536) {
		t.Fatalf("trace after wraps: %d %v", seq, ok)
	}
}
