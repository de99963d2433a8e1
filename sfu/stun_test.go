package sfu

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// asker sends checks to an SFU from a socket of its own.
type asker struct {
	t    *testing.T
	conn *net.UDPConn
}

func newAsker(t *testing.T, s *SFU) asker {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.LocalAddrs()[0]))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return asker{t, conn}
}

func (a asker) addr() netip.AddrPort { return a.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (a asker) check(username, pwd string) *stun.Message {
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(username), stun.NewShortTermIntegrity(pwd), stun.Fingerprint)
	must(a.t, err)
	return m
}

func (a asker) send(b []byte) {
	_, err := a.conn.Write(b)
	must(a.t, err)
}

// answer is the answer to m, skipping none: what comes first must be it.
func (a asker) answer(m *stun.Message) {
	a.t.Helper()
	buf := make([]byte, 2000)
	must(a.t, a.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	n, err := a.conn.Read(buf)
	must(a.t, err)
	got := &stun.Message{Raw: buf[:n]}
	must(a.t, got.Decode())
	if got.Type != stun.BindingSuccess || got.TransactionID != m.TransactionID {
		a.t.Fatalf("got %v, want the answer to the good check", got)
	}
	var mapped stun.XORMappedAddress
	must(a.t, mapped.GetFrom(got))
	if mapped.Port != int(a.addr().Port()) {
		a.t.Errorf("mapped address %v, want %v", mapped, a.addr())
	}
}

func TestOnlyAuthenticChecksAreAnsweredAndRouted(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	push(t, p, video("0", "sendonly"))
	bad := newAsker(t, s)
	bad.send(bad.check(p.ufrag+":x", "not the password").Raw)
	bad.send(bad.check("unknown:x", p.pwd).Raw)
	bad.send([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // no attributes
	bad.send([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})                             // DTLS out of nowhere
	bad.send([]byte{0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1})                                 // RTP out of nowhere
	good := bad.check(p.ufrag+":x", p.pwd)
	bad.send(good.Raw)
	bad.answer(good) // the first answer of all: packets of one socket are served in order
	if s.peerAt(path{sock: s.sockets[0], addr: bad.addr()}) != p {
		t.Error("an authentic check made no route")
	}

	other := newAsker(t, s)
	other.send(other.check(p.ufrag+":x", "not the password").Raw)
	again := bad.check(p.ufrag+":x", p.pwd)
	bad.send(again.Raw)
	bad.answer(again)
	if s.peerAt(path{sock: s.sockets[0], addr: other.addr()}) != nil {
		t.Error("a check with a wrong password made a route")
	}
	must(t, other.conn.SetReadDeadline(time.Now()))
	if n, err := other.conn.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a check with a wrong password was answered: %d bytes, %v", n, err)
	}
}

func TestPathsOfOneEndpointAreBounded(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	push(t, p, video("0", "sendonly"))
	for i := range maxPaths + 10 {
		p.checked(path{sock: s.sockets[0], addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+i))}, 1, false)
	}
	if len(p.paths) != maxPaths || len(s.routes) != maxPaths {
		t.Fatalf("%d paths, %d routes, want %d", len(p.paths), len(s.routes), maxPaths)
	}
	newest := path{sock: s.sockets[0], addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+maxPaths+9))}
	if s.peerAt(newest) != p {
		t.Error("the newest path gave way to an old one")
	}
	must(t, p.Close())
	if len(s.routes) != 0 || len(s.ufrags) != 0 {
		t.Errorf("%d routes and %d ufrags are left", len(s.routes), len(s.ufrags))
	}
}

func TestICERestartAnswersWithNewCredentials(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	first, _ := push(t, p, video("0", "sendonly"))
	before := credential{p, p.pwd}
	ufrag := p.ufrag
	for generation := range 3 {
		d := describe(t, video("0", "sendonly"))
		for i := range d.sdp.Media {
			d.sdp.Media[i].Ufrag += string(rune('a' + generation))
		}
		got, err := p.Answer(d, AnswerPlan{})
		must(t, err)
		again := parse(t, got.SDP)
		if again.Media[0].Ufrag == first.Media[0].Ufrag {
			t.Fatal("the answer to a restart has the old ufrag")
		}
		first = again
		if generation == 0 {
			if known, ok := s.byUfrag(ufrag); !ok || known != before {
				t.Error("the generation before ended while media flows over it")
			}
		}
	}
	if len(s.ufrags) != 2 {
		t.Errorf("%d generations are kept, want 2", len(s.ufrags))
	}
}

func TestFullAgentChecksAndNominates(t *testing.T) {
	s := newSFU(t, Config{})
	p, err := s.NewFullPeer()
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	offer, err := p.Offer(OfferPlan{Pushes: []Push{{Kind: KindAudio, Bidirectional: true}}})
	must(t, err)
	if d := parse(t, offer.SDP); d.Lite || !d.Media[0].Sends || !d.Media[0].Receives {
		t.Fatalf("offer %s", offer.SDP)
	}
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	t.Cleanup(func() { _ = far.Close() })
	answer := reply(t, offer.SDP)
	answer.sdp.Lite = true
	answer.sdp.Media[0].Candidates = []netip.AddrPort{far.LocalAddr().(*net.UDPAddr).AddrPort()}
	must(t, p.AcceptAnswer(answer))

	buf := make([]byte, 2000)
	must(t, far.SetReadDeadline(time.Now().Add(5*time.Second)))
	n, from, err := far.ReadFromUDPAddrPort(buf)
	must(t, err)
	m := &stun.Message{Raw: buf[:n]}
	must(t, m.Decode())
	integrity := stun.NewShortTermIntegrity(answer.sdp.Media[0].Pwd)
	must(t, integrity.Check(m))
	if !m.Contains(attrUseCandidate) || !m.Contains(attrControlling) {
		t.Errorf("check %v does not nominate", m)
	}
	forged, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess, stun.NewShortTermIntegrity("another"), stun.Fingerprint)
	must(t, err)
	success, err := stun.Build(stun.TransactionID, stun.BindingSuccess, integrity, stun.Fingerprint)
	must(t, err)
	_, err = far.WriteToUDPAddrPort(success.Raw, from) // of a check that was never sent
	must(t, err)
	good, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess, integrity, stun.Fingerprint)
	must(t, err)
	_, err = far.WriteToUDPAddrPort(good.Raw, from)
	must(t, err)
	_, err = far.WriteToUDPAddrPort(forged.Raw, from)
	must(t, err)
	deadline := time.Now().Add(5 * time.Second)
	for {
		p.mu.Lock()
		nominated := p.nominated
		p.mu.Unlock()
		if nominated != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("an answered check nominates nothing")
		}
		_, _, _ = far.ReadFromUDPAddrPort(buf) // the next check paces the loop
	}
}

// TestAskedEndpointShowsItself: the check of a lite agent is a controlled one that nominates nothing, and its answer counts as
// a sign of life and no more.
func TestAskedEndpointShowsItself(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	p.Ask() // nobody is there yet
	push(t, p, audio("0", "sendonly"))
	endpoint := newAsker(t, s)
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(p.ufrag+":"+p.remoteUfrag),
		uintAttr{attrUseCandidate, 0, 0}, stun.NewShortTermIntegrity(p.pwd), stun.Fingerprint)
	must(t, err)
	endpoint.send(m.Raw)
	endpoint.answer(m)

	before := p.LastSeen()
	integrity := stun.NewShortTermIntegrity(p.agent.pwd)
	ask := func() *stun.Message {
		p.Ask()
		buf := make([]byte, 2000)
		must(t, endpoint.conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		n, err := endpoint.conn.Read(buf)
		must(t, err)
		asked := &stun.Message{Raw: buf[:n]}
		must(t, asked.Decode())
		must(t, integrity.Check(asked))
		return asked
	}
	success := func(to *stun.Message, with stun.MessageIntegrity) {
		endpoint.send(stun.MustBuild(stun.NewTransactionIDSetter(to.TransactionID), stun.BindingSuccess, with, stun.Fingerprint).Raw)
	}
	asked := ask()
	username, err := asked.Get(stun.AttrUsername)
	must(t, err)
	if string(username) != p.remoteUfrag+":"+p.ufrag || !asked.Contains(attrControlled) || asked.Contains(attrUseCandidate) {
		t.Errorf("check %v of %q", asked, username)
	}
	success(asked, stun.NewShortTermIntegrity("another"))
	again := ask() // comes behind that answer
	if !p.LastSeen().Equal(before) {
		t.Error("a forged answer was heard")
	}
	success(again, integrity)
	limit := time.Now().Add(5 * time.Second)
	for !p.LastSeen().After(before) {
		if time.Now().After(limit) {
			t.Fatal("the answer was not heard")
		}
		<-time.After(time.Millisecond)
	}
	must(t, p.Close())
	if len(s.checks) != 0 {
		t.Errorf("%d checks are left", len(s.checks))
	}
}

// clientHello is a record with a ClientHello of that random, cut off behind it.
func clientHello(random byte) []byte {
	b := make([]byte, 13+12+2+32)
	b[0], b[1], b[2], b[12], b[13] = 22, 0xfe, 0xfd, byte(len(b)-13), 1
	for i := 13 + 12 + 2; i < len(b); i++ {
		b[i] = random
	}
	return b
}

// TestAClientHelloWithANewRandomIsANewConnection also while the one before is up: Chromium may begin before it closes.
func TestAClientHelloWithANewRandomIsANewConnection(t *testing.T) {
	s := newSFU(t, Config{})
	p := newTestPeer(t, s)
	push(t, p, video("0", "sendonly"))
	at := func(port uint16) path {
		return path{sock: s.sockets[0], addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)}
	}
	pending := func() *association {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.pending
	}
	p.receiveDTLS(clientHello(1), at(9))
	first := pending()
	p.receiveDTLS(clientHello(1), at(10))
	if first == nil || pending() != first || *first.path.Load() != at(10) {
		t.Fatal("a retransmission from another path began a connection of its own")
	}

	up := newAssociation(p, false, at(9), func() {})
	up.random = [32]byte{5}
	p.current.Store(up)
	t.Cleanup(func() { p.current.Store(nil) })
	p.receiveDTLS(clientHello(2), at(11))
	if pending() != first {
		t.Fatal("two connections within a second: an endpoint could make the SFU begin any number")
	}
	p.mu.Lock()
	p.begun = time.Time{}
	p.mu.Unlock()
	p.receiveDTLS(clientHello(2), at(11))
	second := pending()
	if second == nil || second == first {
		t.Fatal("a new random began nothing")
	}
	if len(up.records) != 0 {
		t.Error("the connection that is up was given the new one's record")
	}
	p.receiveDTLS([]byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, at(9))
	if len(up.records) != 1 {
		t.Error("a record of the connection that is up went elsewhere")
	}
}
