package stunserver

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"
)

// FuzzAdmit throws messages at the gate of a client with an allocation. Nothing may panic there or in pion/turn, and the answer
// to a request is a response to it.
func FuzzAdmit(f *testing.F) {
	f.Add(message(f, "0003", "0019000411000000"))
	f.Add(message(f, "0008", "00120003 000100 00"))
	f.Add(message(f, "0009", "000c0004 40000000 00120000"))
	f.Add(message(f, "0016", "00130001 41000000 00120002 00010000"))
	f.Add(unhex(f, "4000ffff 00000000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > maxMessage { // ReadFrom has dropped those
			return
		}
		g, from := heldGate(t)
		for _, signed := range []bool{false, true} {
			in := data
			if signed {
				if in = g.sign(data); in == nil {
					return
				}
			}
			out, pass := g.admit(in, from)
			if out != nil && pass != nil || len(pass) >= inboundMTU {
				t.Fatalf("%x is answered %x and passed as %x", in, out, pass)
			}
			if out == nil {
				continue
			}
			req, res := decode(t, in), decode(t, out)
			if req.Type.Class != stun.ClassRequest || res.Type.Method != req.Type.Method || res.TransactionID != req.TransactionID {
				t.Fatalf("%x is answered %x", in, out)
			}
		}
	})
}

// fuzzed is a gate with what signs requests for it.
type fuzzed struct {
	*gate
	username string
	key      []byte
}

// heldGate is a gate whose one client has an allocation, as far as the gate knows.
func heldGate(t *testing.T) (*fuzzed, netip.AddrPort) {
	t.Helper()
	clock := newHandClock()
	creds := NewCredentials(clock)
	t.Cleanup(creds.Close)
	s := &Server{cfg: Config{}.withDefaults(), turn: TURNConfig{Credentials: creds}.withDefaults()}
	g := s.newGate(nil, "udp")
	from := netip.MustParseAddrPort(addr4)
	username, password := creds.Issue("key", time.Hour)
	g.relays[from] = &relay{gate: g, client: from, username: username, peers: map[netip.Addr]time.Time{}}
	return &fuzzed{g, username, turn.GenerateAuthKey(username, Realm, password)}, from
}

// sign adds a good credential to a message; nil where it is none.
func (f *fuzzed) sign(data []byte) []byte {
	m, ok := parse(data)
	if !ok {
		return nil
	}
	setters := []stun.Setter{m.Type, stun.NewTransactionIDSetter(m.TransactionID)}
	for _, attr := range m.Attributes {
		if attr.Type != stun.AttrMessageIntegrity && attr.Type != stun.AttrFingerprint {
			setters = append(setters, attr)
		}
	}
	setters = append(setters, stun.NewUsername(f.username), stun.NewRealm(Realm), stun.NewNonce("nonce"), stun.MessageIntegrity(f.key))
	built, err := stun.Build(setters...)
	if err != nil || len(built.Raw) > maxMessage {
		return nil
	}
	return built.Raw
}

// FuzzStream throws bytes at the framing of streams: it ends, and what it gives is whole.
func FuzzStream(f *testing.F) {
	f.Add(message(f, "0001", ""))
	f.Add(append(unhex(f, "40000005 0102030405 000000"), message(f, "0001", "")...))
	f.Add(unhex(f, "4000fffc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		near, far := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = far.Write(data)
			_ = far.Close()
		})
		s := &stream{conn: near, place: &place{heard: new(atomic.Uint64)}, idle: patience}
		buf := make([]byte, maxMessage+1)
		for left := len(data); ; {
			n, _, err := s.read(buf)
			if err != nil {
				break
			}
			if left -= n; n < channelHeader || n > maxMessage || left < 0 {
				t.Fatalf("a message of %d bytes in %x", n, data)
			}
		}
		_ = near.Close()
		wg.Wait()
	})
}
