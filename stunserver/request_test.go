package stunserver

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"
)

// session speaks TURN by hand.
type session struct {
	t                  *testing.T
	conn               net.Conn
	username, password string
	realm              stun.Realm
	nonce              stun.Nonce
	key                []byte
}

func (s *relaying) session(t *testing.T, username, password string) *session {
	t.Helper()
	return s.sessionOver(t, "udp", username, password)
}

func (s *relaying) sessionOver(t *testing.T, network, username, password string) *session {
	t.Helper()
	x := &session{t: t, conn: dial(t, network, s.addr), username: username, password: password}
	res := x.send(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)))
	wantCode(t, "the first request", res, stun.CodeUnauthorized)
	if err := res.Parse(&x.realm, &x.nonce); err != nil {
		t.Fatal(err)
	}
	if x.realm.String() != Realm {
		t.Errorf("realm %s", x.realm)
	}
	x.key = turn.GenerateAuthKey(username, x.realm.String(), password)
	return x
}

func (x *session) send(m *stun.Message) *stun.Message {
	x.t.Helper()
	write(x.t, x.conn, m.Raw)
	buf := make([]byte, 2000)
	n, err := x.conn.Read(buf)
	if err != nil {
		x.t.Fatalf("no answer to %s: %v", m, err)
	}
	res := decode(x.t, buf[:n])
	if res.TransactionID != m.TransactionID {
		x.t.Fatalf("answer %s to %s", res, m)
	}
	return res
}

// ask sends an authenticated request.
func (x *session) ask(method stun.Method, attrs ...stun.Setter) *stun.Message {
	x.t.Helper()
	return x.send(x.request(method, attrs...))
}

func (x *session) request(method stun.Method, attrs ...stun.Setter) *stun.Message {
	setters := []stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}
	setters = append(setters, attrs...)
	setters = append(setters, stun.NewUsername(x.username), x.realm, x.nonce, stun.MessageIntegrity(x.key))
	return stun.MustBuild(setters...)
}

func wantCode(t *testing.T, what string, res *stun.Message, want stun.ErrorCode) {
	t.Helper()
	var code stun.ErrorCodeAttribute
	_ = code.GetFrom(res)
	if code.Code != want {
		t.Errorf("%s: %d %s, want %d", what, code.Code, code.Reason, want)
	}
}

func raw(typ stun.AttrType, value ...byte) stun.RawAttribute {
	return stun.RawAttribute{Type: typ, Value: value}
}

// overUDP is what Allocate must have.
func overUDP() stun.Setter { return raw(stun.AttrRequestedTransport, 17, 0, 0, 0) }

// peerAttr is XOR-PEER-ADDRESS.
type peerAttr string

func (p peerAttr) AddTo(m *stun.Message) error {
	at := netip.MustParseAddrPort(string(p))
	return stun.XORMappedAddress{IP: at.Addr().AsSlice(), Port: int(at.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

func TestWrongCredentialsAreUnauthorized(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	expired, expiredPassword := s.creds.Issue("key", time.Second)
	revoked, revokedPassword := s.issue()
	deleted, deletedPassword := s.creds.Issue("other key", time.Hour)
	s.clock.advance(time.Second)
	if !s.creds.Revoke("key", revoked) || s.creds.Revoke("key", revoked) || s.creds.Revoke("key", deleted) || s.creds.Revoke("key", expired) {
		t.Error("revoke reports wrongly")
	}
	s.creds.RevokeKey("other key")
	for _, tc := range []struct{ name, username, password string }{
		{"wrong-credential", username, "wrong"},
		{"not-issued", "someone", password},
		{"not-issued", username[:63] + "x", password},
		{"not-issued", strings.ToUpper(username), password},
		{"expired", expired, expiredPassword},
		{"revoked", revoked, revokedPassword},
		{"revoked", deleted, deletedPassword},
	} {
		before := s.Stats().Refused[tc.name]
		x := s.session(t, tc.username, tc.password)
		for _, method := range []stun.Method{stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
			res := x.ask(method, overUDP())
			wantCode(t, tc.name+" "+method.String(), res, stun.CodeUnauthorized)
			var nonce stun.Nonce
			if nonce.GetFrom(res) != nil || !res.Contains(stun.AttrRealm) {
				t.Errorf("%s: %s has no challenge", tc.name, res)
			}
		}
		if got := s.Stats().Refused[tc.name] - before; got != 4 {
			t.Errorf("%s: counted %d times", tc.name, got)
		}
	}
	x := s.session(t, username, password)
	wantCode(t, "the right one", x.ask(stun.MethodAllocate, overUDP()), 0)
}

func TestRequestsThatAreWrongGetTheirCode(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	fresh := s.session(t, username, password)
	x := s.session(t, username, password)
	wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP(), raw(stun.AttrRequestedAddressFamily, 2, 0, 0, 0)), 0)
	peer := peerAttr("127.0.0.1:9")
	channel := raw(stun.AttrChannelNumber, 0x40, 0, 0, 0)
	for _, tc := range []struct {
		name string
		in   *session
		do   stun.Method
		with []stun.Setter
		want stun.ErrorCode
	}{
		{"no transport", fresh, stun.MethodAllocate, nil, stun.CodeBadRequest},
		{"half a transport", fresh, stun.MethodAllocate, []stun.Setter{raw(stun.AttrRequestedTransport, 17)}, stun.CodeBadRequest},
		{"dont-fragment", fresh, stun.MethodAllocate, []stun.Setter{overUDP(), raw(stun.AttrDontFragment)}, stun.CodeUnknownAttribute},
		{"unknown attribute", fresh, stun.MethodRefresh, []stun.Setter{raw(0x7f01)}, stun.CodeUnknownAttribute},
		{"a reserved port", fresh, stun.MethodAllocate, []stun.Setter{overUDP(), raw(stun.AttrEvenPort, 0x80)}, stun.CodeInsufficientCapacity},
		{"a token", fresh, stun.MethodAllocate, []stun.Setter{overUDP(), raw(stun.AttrReservationToken, 1, 2, 3, 4, 5, 6, 7, 8)}, stun.CodeInsufficientCapacity},
		{"a token and even", fresh, stun.MethodAllocate, []stun.Setter{overUDP(), raw(stun.AttrEvenPort, 0), raw(stun.AttrReservationToken, 1, 2, 3, 4, 5, 6, 7, 8)}, stun.CodeBadRequest},
		{"refresh of nothing", fresh, stun.MethodRefresh, nil, stun.CodeAllocMismatch},
		{"permission for nothing", fresh, stun.MethodCreatePermission, []stun.Setter{peer}, stun.CodeAllocMismatch},
		{"channel for nothing", fresh, stun.MethodChannelBind, []stun.Setter{channel, peer}, stun.CodeAllocMismatch},
		{"a second allocation", x, stun.MethodAllocate, []stun.Setter{overUDP()}, stun.CodeAllocMismatch},
		{"no peer", x, stun.MethodCreatePermission, nil, stun.CodeBadRequest},
		{"half a peer", x, stun.MethodCreatePermission, []stun.Setter{raw(stun.AttrXORPeerAddress, 0, 1, 2)}, stun.CodeBadRequest},
		{"an IPv6 peer", x, stun.MethodCreatePermission, []stun.Setter{peer, peerAttr("[2001:db8::1]:9")}, stun.CodeForbidden},
		{"a channel without number", x, stun.MethodChannelBind, []stun.Setter{peer}, stun.CodeBadRequest},
		{"a channel without peer", x, stun.MethodChannelBind, []stun.Setter{channel}, stun.CodeBadRequest},
		{"a channel out of range", x, stun.MethodChannelBind, []stun.Setter{raw(stun.AttrChannelNumber, 0x80, 0, 0, 0), peer}, stun.CodeBadRequest},
		{"permission", x, stun.MethodCreatePermission, []stun.Setter{peer}, 0},
		{"channel", x, stun.MethodChannelBind, []stun.Setter{channel, peer}, 0},
		{"the channel for another peer", x, stun.MethodChannelBind, []stun.Setter{channel, peerAttr("127.0.0.1:10")}, stun.CodeBadRequest},
		{"even port", fresh, stun.MethodAllocate, []stun.Setter{raw(stun.AttrRequestedTransport, 99, 0, 0, 0), raw(stun.AttrEvenPort, 0)}, 0},
	} {
		res := tc.in.ask(tc.do, tc.with...)
		wantCode(t, tc.name, res, tc.want)
		if tc.name == "even port" {
			var relayed stun.XORMappedAddress
			if err := relayed.GetFromAs(res, stun.AttrXORRelayedAddress); err != nil || relayed.Port%2 != 0 {
				t.Errorf("even port: %s, %v", relayed, err)
			}
		}
	}

	other, otherPassword := s.issue()
	x.username, x.key = other, turn.GenerateAuthKey(other, Realm, otherPassword)
	wantCode(t, "another credential", x.ask(stun.MethodRefresh), stun.CodeWrongCredentials)

	incomplete := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodRefresh, stun.ClassRequest), stun.NewUsername(username), stun.MessageIntegrity(fresh.key))
	wantCode(t, "no realm and nonce", fresh.send(incomplete), stun.CodeBadRequest)
	fresh.nonce = stun.NewNonce("stale")
	wantCode(t, "a stale nonce", fresh.ask(stun.MethodRefresh), stun.CodeStaleNonce)
	bare := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest))
	wantCode(t, "a permission from nobody", s.session(t, username, password).send(bare), stun.CodeUnauthorized)
}

func TestARepeatedAllocateGetsTheSameAnswer(t *testing.T) {
	s := startTURN(t, nil)
	x := s.session(t, "", "")
	x.username, x.password = s.issue()
	x.key = turn.GenerateAuthKey(x.username, Realm, x.password)
	m := x.request(stun.MethodAllocate, overUDP())
	first, second := x.send(m), x.send(m)
	if string(first.Raw) != string(second.Raw) || first.Type.Class != stun.ClassSuccessResponse {
		t.Errorf("%s, then %s", first, second)
	}
	if n := len(s.Stats().Allocations); n != 1 {
		t.Errorf("%d allocations", n)
	}
}

func TestLifetimesAreClamped(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	x := s.session(t, username, password)
	for _, tc := range []struct {
		ask  []stun.Setter
		want time.Duration
	}{
		{nil, 10 * time.Minute},
		{[]stun.Setter{seconds(time.Second)}, 10 * time.Minute},
		{[]stun.Setter{seconds(20 * time.Minute)}, 20 * time.Minute},
		{[]stun.Setter{seconds(48 * time.Hour)}, maxLifetime},
		{[]stun.Setter{seconds(0)}, 0},
	} {
		if len(s.Stats().Allocations) == 0 {
			wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
		}
		if life, given := lifetime(x.ask(stun.MethodRefresh, tc.ask...)); !given || life != tc.want {
			t.Errorf("%s given %s, want %s", tc.ask, life, tc.want)
		}
	}
}

func TestAllocationsAreBounded(t *testing.T) {
	s := startTURN(t, func(_ *Config, turn *TURNConfig) {
		turn.Limits = func() Limits { return Limits{PerCredential: 2, InAll: 3} }
	})
	username, password := s.issue()
	other, otherPassword := s.issue()
	for _, tc := range []struct {
		username, password string
		want               stun.ErrorCode
	}{
		{username, password, 0}, {username, password, 0}, {username, password, stun.CodeAllocQuotaReached},
		{other, otherPassword, 0}, {other, otherPassword, stun.CodeInsufficientCapacity},
	} {
		wantCode(t, "allocate", s.session(t, tc.username, tc.password).ask(stun.MethodAllocate, overUDP()), tc.want)
	}
	if refused := s.Stats().Refused; refused["quota"] != 1 || refused["full"] != 1 {
		t.Errorf("refused %v", refused)
	}
}

func TestPeersAreBounded(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	x := s.session(t, username, password)
	x.ask(stun.MethodAllocate, overUDP())
	for i := range maxPeers {
		wantCode(t, "permission", x.ask(stun.MethodCreatePermission, peerAttr(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, byte(i), 1}), 9).String())), 0)
	}
	wantCode(t, "one more", x.ask(stun.MethodCreatePermission, peerAttr("127.1.0.1:9")), stun.CodeInsufficientCapacity)
	wantCode(t, "a known one", x.ask(stun.MethodCreatePermission, peerAttr("127.0.0.1:10")), 0)
}
