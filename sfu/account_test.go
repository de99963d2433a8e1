package sfu

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFingerprintMatches(t *testing.T) {
	certificate := []byte("a certificate")
	s256, s384, s512 := sha256.Sum256(certificate), sha512.Sum384(certificate), sha512.Sum512(certificate)
	for want, ok := range map[string]bool{
		"sha-256 " + colons(s256[:]):                    true,
		"SHA-256 " + strings.ToLower(colons(s256[:])):   true,
		"sha-384 " + colons(s384[:]):                    true,
		"sha-512  " + colons(s512[:]) + " ":             true,
		"sha-512 " + colons(s256[:]):                    false,
		"sha-256 " + colons(s256[:31]):                  false,
		"sha-256 " + colons(s256[:]) + ":00":            false,
		"sha-256":                                       false,
		"sha-1 " + colons(s256[:20]):                    false,
		"":                                              false,
		"sha-256 " + colons(bytes.Repeat(s256[:1], 32)): false,
	} {
		if got := fingerprintMatches(want, certificate); got != ok {
			t.Errorf("%q: %v, want %v", want, got, ok)
		}
	}
}

func TestAbsSendTimeIsSecondsIn6Dot18Bits(t *testing.T) {
	for _, tc := range []struct {
		at   time.Time
		want uint32
	}{
		{time.Unix(64*1000, 0), 0},
		{time.Unix(64*1000+1, 0), 1 << 18},
		{time.Unix(64*1000+63, 500_000_000), 63<<18 | 1<<17},
		{time.Unix(64*1000, 250_000_000), 1 << 16},
		{time.Unix(64*1000, 999_999_999), 1<<18 - 1},
	} {
		if got := absSendTime(tc.at); got != tc.want {
			t.Errorf("%s: %#x, want %#x", tc.at, got, tc.want)
		}
	}
}

func TestClientHelloIsRecognised(t *testing.T) {
	hello := make([]byte, 13+12+2+32+10)
	hello[0], hello[1], hello[2] = 22, 254, 255
	hello[13] = 1
	for i := range 32 {
		hello[13+12+2+i] = byte(100 + i)
	}
	random, ok := isClientHello(hello)
	if !ok || random[0] != 100 || random[31] != 131 {
		t.Errorf("got %v, %v", random, ok)
	}
	change := func(i int, v byte) []byte { b := bytes.Clone(hello); b[i] = v; return b }
	for name, b := range map[string][]byte{
		"encrypted (epoch 1)":   change(4, 1),
		"application data":      change(0, 23),
		"a server's hello":      change(13, 2),
		"a later fragment":      change(13+8, 1),
		"a much later fragment": change(13+6, 1),
		"cut before the random": hello[:13+12+2+31],
		"nothing":               nil,
	} {
		if _, ok := isClientHello(b); ok {
			t.Errorf("%s is taken for a ClientHello", name)
		}
	}
	if _, ok := isClientHello(hello[:13+12+2+32]); !ok {
		t.Error("a ClientHello that ends with its random is not recognised")
	}
}

// TestLastRequestGetsItsAnswer: the packet is not given up before the last request had time to be answered.
func TestLastRequestGetsItsAnswer(t *testing.T) {
	r := newReceiver(true)
	r.receive(1, 0, 90000, epoch)
	r.receive(3, 0, 90000, epoch)
	now := epoch
	for range nackTries {
		if pairs, lost := r.due(now); len(asked(pairs)) != 1 || lost {
			t.Fatalf("asked for %v, lost %v", asked(pairs), lost)
		}
		now = now.Add(nackInterval)
	}
	if _, lost := r.due(now.Add(-1)); lost { // another gap brings due about at any moment
		t.Error("given up before the last request could be answered")
	}
	if got := r.receive(2, 0, 90000, now.Add(-1)); got != next {
		t.Errorf("the answer to the last request got verdict %d", got)
	}
}

// TestJitterIsSteadyWhereTheDifferenceWraps: a stream that arrives evenly has no jitter, wherever its timestamps begin.
func TestJitterIsSteadyWhereTheDifferenceWraps(t *testing.T) {
	for _, away := range []int64{0, 1, -1, 1 << 31, 1<<31 - 1, -1 << 31, 1 - 1<<31, 12345} {
		r := newReceiver(true)
		ticks := uint32(epoch.UnixMicro() * 90000 / 1_000_000)
		for i := range 100 {
			wobble := time.Duration(i%2) * time.Millisecond
			at := epoch.Add(time.Duration(i)*10*time.Millisecond + wobble)
			r.receive(uint16(i), ticks+uint32(away)+uint32(i)*900, 90000, at)
		}
		if got := r.report(1, senderReport{}, epoch).Jitter; got > 90 {
			t.Errorf("timestamps %d away from the clock: jitter %d ticks, want at most those of a millisecond", away, got)
		}
	}
}

// TestReceiverAccountsForAnyOrder compares with what really happened.
func TestReceiverAccountsForAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newReceiver(true)
		first := rapid.Uint16().Draw(t, "first")
		newest, fresh := int64(first), uint64(1)
		come := map[int64]bool{newest: true}
		r.receive(first, 0, 90000, epoch)
		for range rapid.IntRange(1, 300).Draw(t, "packets") {
			number := max(int64(first), newest+int64(rapid.IntRange(-20, 4).Draw(t, "step")))
			want := next
			switch {
			case come[number]:
				want = duplicate
			case number > newest+1:
				want = gap
			}
			if got := r.receive(uint16(number), 0, 90000, epoch); got != want {
				t.Fatalf("packet %d after %d: verdict %d, want %d", number, newest, got, want)
			}
			if want != duplicate {
				fresh++
			}
			newest, come[number] = max(newest, number), true
		}
		missing := 0
		for n := int64(first); n <= newest; n++ {
			if !come[n] {
				missing++
			}
		}
		pairs, _ := r.due(epoch)
		if len(asked(pairs)) != missing {
			t.Fatalf("asks for %d packets, %d are missing", len(asked(pairs)), missing)
		}
		report := r.report(1, senderReport{}, epoch)
		if report.TotalLost != uint32(missing) || uint16(report.LastSequenceNumber) != uint16(newest) || r.received != fresh {
			t.Fatalf("report %+v with %d received, want %d lost up to %d with %d", report, r.received, missing, newest, fresh)
		}
		if report.LastSequenceNumber != uint32(newest) {
			t.Fatalf("extended number %d, want %d", report.LastSequenceNumber, newest)
		}
	})
}
