package stunserver

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"github.com/pion/stun/v2"
)

// allocUnderstood are the comprehension-required attributes of TURN requests (RFC 8656 section 18), besides those of every
// request. DONT-FRAGMENT is not among them: that bit cannot be set (section 7.2, step 5).
func allocUnderstood(t stun.AttrType) bool {
	switch t {
	case stun.AttrChannelNumber, stun.AttrLifetime, stun.AttrXORPeerAddress, stun.AttrEvenPort,
		stun.AttrRequestedTransport, stun.AttrReservationToken, stun.AttrRequestedAddressFamily:
		return true
	default:
		return understood(t)
	}
}

// request decides about a request of TURN, as admit does. What a client may ask for is checked here, in the order of RFC 8489
// section 9.2.4 and RFC 8656; pion/turn gets a copy that has only what it handles rightly.
func (g *gate) request(m *stun.Message, from netip.AddrPort) (out, pass []byte) {
	r := g.relay(from)
	if !m.Contains(stun.AttrMessageIntegrity) {
		if r == nil && m.Type.Method != stun.MethodAllocate && m.Type.Method != stun.MethodRefresh {
			return challenge(m), nil // pion/turn keeps silent
		}
		return nil, m.Raw // pion/turn's own challenge has a nonce that it takes later
	}
	granted, refused := g.authenticate(m, from)
	if refused != nil {
		return refused, nil
	}
	if unknown := unknownRequired(m, allocUnderstood); len(unknown) > 0 {
		return fail(m, granted, stun.CodeUnknownAttribute, unknown), nil
	}
	if r != nil && r.username != granted.username {
		g.server.refuse("other-credential", from, "the allocation was made with another credential",
			"use the credential of the Allocate request for all that follows")
		return fail(m, granted, stun.CodeWrongCredentials), nil
	}
	a := &asked{from: from, grant: granted}
	copied, code := g.plan(m, r, a)
	if code != 0 {
		return fail(m, granted, code), nil
	}
	raw := rebuild(m, granted, copied)
	if raw != nil {
		g.asked = a
	}
	return nil, raw
}

// authenticate checks username and integrity. The nonce is pion/turn's matter.
func (g *gate) authenticate(m *stun.Message, from netip.AddrPort) (granted grant, refused []byte) {
	var username stun.Username
	if username.GetFrom(m) != nil || !m.Contains(stun.AttrRealm) || !m.Contains(stun.AttrNonce) {
		return grant{}, build(m, stun.ClassErrorResponse, stun.CodeBadRequest)
	}
	granted, err := g.server.turn.Credentials.check(username.String())
	if err == nil && stun.MessageIntegrity(granted.key).Check(m) != nil {
		err = errWrongCredential
	}
	if err != nil {
		reason, cure := explainCredential(err)
		g.server.refuse(reason, from, err.Error(), cure)
		return grant{}, challenge(m)
	}
	return granted, nil
}

func explainCredential(err error) (reason, cure string) {
	switch {
	case errors.Is(err, ErrExpired):
		return "expired", "ask for a new one before the ttl has passed"
	case errors.Is(err, ErrRevoked):
		return "revoked", "ask for a new one"
	case errors.Is(err, errWrongCredential):
		return "wrong-credential", "take username and credential from one answer of generate-ice-servers"
	default:
		return "not-issued", "ask generate-ice-servers of this run for one; none outlives the process"
	}
}

// challenge is 401 with what a client needs for another try (RFC 8489 section 9.2.4). A nonce that the client has is kept; one
// that pion/turn does not know is replaced by it at the next try.
func challenge(m *stun.Message) []byte {
	var nonce stun.Nonce
	if nonce.GetFrom(m) != nil || len(nonce) > maxNonce {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails
		nonce = stun.NewNonce(hex.EncodeToString(random))
	}
	return build(m, stun.ClassErrorResponse, stun.CodeUnauthorized, stun.NewRealm(Realm), nonce)
}

// maxNonce bounds what is repeated to a client; pion/turn's have 80 bytes.
const maxNonce = 128

// fail is an error response that the client can verify.
func fail(m *stun.Message, g grant, code stun.ErrorCode, attrs ...stun.Setter) []byte {
	return build(m, stun.ClassErrorResponse, append(append([]stun.Setter{code}, attrs...), stun.MessageIntegrity(g.key))...)
}

// plan checks what an authenticated request asks for. It returns the attributes of the copy, or the code of the refusal.
func (g *gate) plan(m *stun.Message, r *relay, a *asked) (copied []stun.Setter, refused stun.ErrorCode) {
	switch m.Type.Method {
	case stun.MethodAllocate:
		return g.planAllocate(m, r, a)
	case stun.MethodRefresh:
		life, given := lifetime(m)
		if r == nil && (!given || life != 0) {
			return nil, stun.CodeAllocMismatch
		}
		if given && life == 0 {
			return []stun.Setter{seconds(0)}, 0
		}
		a.life = g.server.turn.clamp(life)
		return []stun.Setter{seconds(pionLifetime)}, 0
	}
	switch {
	case r == nil:
		return nil, stun.CodeAllocMismatch
	case m.Type.Method == stun.MethodChannelBind:
		return g.planBind(m, r)
	default:
		return g.planPermission(m, r)
	}
}

// planAllocate: every REQUESTED-TRANSPORT gets a UDP relay, and REQUESTED-ADDRESS-FAMILY is ignored (contract 7.2). A
// reservation is never made, so that a RESERVATION-TOKEN is never good (RFC 8656 section 7.2, steps 6 and 7).
func (g *gate) planAllocate(m *stun.Message, r *relay, a *asked) ([]stun.Setter, stun.ErrorCode) {
	transport, err := m.Get(stun.AttrRequestedTransport)
	if err != nil || len(transport) != 4 {
		return nil, stun.CodeBadRequest
	}
	even, err := m.Get(stun.AttrEvenPort)
	a.even = err == nil
	switch reserves := a.even && (len(even) == 0 || even[0]&0x80 != 0); {
	case a.even && m.Contains(stun.AttrReservationToken):
		return nil, stun.CodeBadRequest
	case reserves, m.Contains(stun.AttrReservationToken):
		return nil, stun.CodeInsufficientCapacity
	}
	if r == nil { // otherwise pion/turn knows a repetition from a second one
		if code := g.server.room(a); code != 0 {
			return nil, code
		}
	}
	life, _ := lifetime(m)
	a.life = g.server.turn.clamp(life)
	const udp = 17
	return []stun.Setter{
		stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{udp, 0, 0, 0}},
		seconds(pionLifetime),
	}, 0
}

func (g *gate) planPermission(m *stun.Message, r *relay) (copied []stun.Setter, refused stun.ErrorCode) {
	for _, attr := range m.Attributes {
		if attr.Type != stun.AttrXORPeerAddress {
			continue
		}
		peer, ok := peerOf(m, attr)
		if !ok {
			return nil, stun.CodeBadRequest
		}
		if code := g.permit(r, peer.Addr()); code != 0 {
			return nil, code
		}
		copied = append(copied, attr)
	}
	if len(copied) == 0 {
		return nil, stun.CodeBadRequest
	}
	return copied, 0
}

func (g *gate) planBind(m *stun.Message, r *relay) ([]stun.Setter, stun.ErrorCode) {
	channel, err := m.Get(stun.AttrChannelNumber)
	if err != nil || len(channel) != 4 || channel[0]&0xC0 != 0x40 { // RFC 5766 section 11
		return nil, stun.CodeBadRequest
	}
	address, found := m.Attributes.Get(stun.AttrXORPeerAddress)
	peer, ok := peerOf(m, address)
	if !found || !ok {
		return nil, stun.CodeBadRequest
	}
	if code := g.permit(r, peer.Addr()); code != 0 {
		return nil, code
	}
	return []stun.Setter{stun.RawAttribute{Type: stun.AttrChannelNumber, Value: channel}, address}, 0
}

// permit checks the address of a peer (contract 7.2).
func (g *gate) permit(r *relay, ip netip.Addr) stun.ErrorCode {
	turn := g.server.turn
	switch {
	case !ip.Is4():
		g.server.refuse("peer-family", r.client, "the peer "+ip.String()+" is not IPv4, as relays are", "use the peer's IPv4 candidate")
		return stun.CodeForbidden
	case !isHost(ip) && !turn.owns(ip):
		g.server.refuse("peer-no-host", r.client, "the peer "+ip.String()+" is not the address of one host, or is a link-local one",
			"use a peer's unicast address; no mode relays to multicast, 255.255.255.255, 0.0.0.0/8 or 169.254.0.0/16")
		return stun.CodeForbidden
	case !turn.allows(ip) && !turn.owns(ip):
		g.server.refuse("peer-forbidden", r.client, "the peer "+ip.String()+" is not on the public internet",
			"the mode dev allows such peers, as development needs; the real service does not")
		return stun.CodeForbidden
	case !r.permit(ip):
		g.server.refuse("peers", r.client, "the allocation has as many peers as one may have", "use another allocation")
		return stun.CodeInsufficientCapacity
	}
	return 0
}

// peerOf decodes an XOR-PEER-ADDRESS (RFC 8489 section 14.2). That of pion/stun/v2 panics where the attribute is short.
func peerOf(m *stun.Message, attr stun.RawAttribute) (netip.AddrPort, bool) {
	const family4, family6 = 1, 2
	v := attr.Value
	if len(v) != 8 && len(v) != 20 || len(v) == 8 && v[1] != family4 || len(v) == 20 && v[1] != family6 {
		return netip.AddrPort{}, false
	}
	mask := binary.BigEndian.AppendUint32(nil, magicCookie)
	mask = append(mask, m.TransactionID[:]...)
	ip := make([]byte, len(v)-4)
	for i := range ip {
		ip[i] = v[4+i] ^ mask[i]
	}
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(v[2:4])^magicCookie>>16), true
}

// sendable says whether pion/turn can handle a Send indication.
func sendable(m *stun.Message) bool {
	peer, found := m.Attributes.Get(stun.AttrXORPeerAddress)
	_, ok := peerOf(m, peer)
	return found && ok && m.Contains(stun.AttrData)
}

// lifetime reads LIFETIME; given is false where there is none.
func lifetime(m *stun.Message) (life time.Duration, given bool) {
	v, err := m.Get(stun.AttrLifetime)
	if err != nil || len(v) != 4 {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint32(v)) * time.Second, true
}

// clamp is the lifetime that a client gets (RFC 8656 section 7.2).
func (c TURNConfig) clamp(asked time.Duration) time.Duration {
	return min(max(asked, c.limits().Lifetime, time.Second), maxLifetime)
}

// seconds is the attribute LIFETIME.
type seconds time.Duration

// AddTo implements stun.Setter.
func (s seconds) AddTo(m *stun.Message) error {
	m.Add(stun.AttrLifetime, binary.BigEndian.AppendUint32(nil, uint32(time.Duration(s)/time.Second)))
	return nil
}

// rebuild makes the copy of a request that pion/turn gets.
func rebuild(m *stun.Message, g grant, copied []stun.Setter) []byte {
	setters := []stun.Setter{m.Type, stun.NewTransactionIDSetter(m.TransactionID)}
	for _, t := range []stun.AttrType{stun.AttrUsername, stun.AttrRealm, stun.AttrNonce} {
		attr, _ := m.Attributes.Get(t)
		setters = append(setters, attr)
	}
	setters = append(append(setters, copied...), stun.MessageIntegrity(g.key))
	built, err := stun.Build(setters...)
	if err != nil || len(built.Raw) > maxMessage+32 { // never: the copy has no more than the request, but for LIFETIME
		return nil
	}
	return built.Raw
}
