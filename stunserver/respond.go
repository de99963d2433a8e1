package stunserver

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/pion/stun/v2"
)

const (
	// headerSize is the fixed part of every STUN message (RFC 8489 section 5).
	headerSize = 20

	// magicCookie stands in bytes 4 to 7 (RFC 8489 section 5).
	magicCookie = 0x2112A442

	// maxMessage is the largest message that is read, header included. A
	// Binding request has no use for more than one datagram of an Ethernet
	// frame, and RFC 8489 section 6.1 keeps requests below the path's MTU.
	maxMessage = 1600
)

// understood reports whether a comprehension-required attribute may stand in
// a Binding request to this server (RFC 8489 section 18.3). ICE's own
// attributes are not among them: those belong to a peer, not to a server.
func understood(t stun.AttrType) bool {
	switch t {
	case stun.AttrMappedAddress, stun.AttrUsername, stun.AttrMessageIntegrity,
		stun.AttrErrorCode, stun.AttrUnknownAttributes, stun.AttrRealm,
		stun.AttrNonce, stun.AttrXORMappedAddress,
		stun.AttrMessageIntegritySHA256, stun.AttrPasswordAlgorithm,
		stun.AttrUserhash:
		return true
	default:
		return false
	}
}

// messageLength reads the header of a STUN message and returns the length of
// the whole message. ok is false for anything that is not STUN (RFC 8489
// section 6.3: first two bits zero, magic cookie, length a multiple of 4).
// header must hold headerSize bytes.
func messageLength(header []byte) (length int, ok bool) {
	body := int(binary.BigEndian.Uint16(header[2:4]))
	ok = header[0]&0xC0 == 0 &&
		binary.BigEndian.Uint32(header[4:8]) == magicCookie &&
		body%4 == 0
	return headerSize + body, ok
}

// respond returns the answer to one message that came from the given address,
// or nil when there is nothing to say. It is pure: any bytes may be given.
//
// Silence is RFC 8489's answer to everything that is not a well-formed
// request (section 6.3), indications included (section 6.3.2). A request of
// another method would be met with silence too; it gets a 400 instead, so that
// a client configured with a TURN URL gives up at once and does not hold back
// its gathering until its retransmissions end.
func respond(data []byte, from netip.AddrPort) []byte {
	req, ok := parse(data)
	if !ok || req.Type.Class != stun.ClassRequest {
		return nil
	}
	if req.Type.Method != stun.MethodBinding {
		return build(req, stun.ClassErrorResponse, stun.CodeBadRequest)
	}
	if unknown := unknownRequired(req, understood); len(unknown) > 0 {
		return build(req, stun.ClassErrorResponse, stun.CodeUnknownAttribute, unknown)
	}
	// An IPv4 address in IPv6 clothes (a socket of both families) is written
	// as IPv4.
	return build(req, stun.ClassSuccessResponse,
		&stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())})
}

// parse decodes a message and checks its FINGERPRINT where it carries one.
func parse(data []byte) (*stun.Message, bool) {
	if len(data) < headerSize {
		return nil, false
	}
	if n, ok := messageLength(data); !ok || n != len(data) {
		return nil, false
	}
	m := new(stun.Message)
	if err := stun.Decode(data, m); err != nil {
		return nil, false
	}
	// Check takes the last 8 bytes for the attribute, so it also refuses one
	// that stands elsewhere, as RFC 8489 section 14.7 wants.
	if m.Contains(stun.AttrFingerprint) && stun.Fingerprint.Check(m) != nil {
		return nil, false
	}
	return m, true
}

// unknownTypes is the UNKNOWN-ATTRIBUTES attribute: 16 bits each (RFC 8489
// section 14.13). stun.UnknownAttributes of pion/stun/v2 writes 32 bits each.
type unknownTypes []stun.AttrType

// AddTo implements stun.Setter.
func (u unknownTypes) AddTo(m *stun.Message) error {
	v := make([]byte, 0, 2*len(u))
	for _, t := range u {
		v = binary.BigEndian.AppendUint16(v, t.Value())
	}
	m.Add(stun.AttrUnknownAttributes, v)
	return nil
}

// unknownRequired lists, each once, the comprehension-required attributes that
// are not understood in the request. What follows MESSAGE-INTEGRITY is
// ignored (RFC 8489 section 14.5).
func unknownRequired(m *stun.Message, understood func(stun.AttrType) bool) unknownTypes {
	var unknown unknownTypes
	for _, a := range m.Attributes {
		if a.Type.Required() && !understood(a.Type) && !slices.Contains(unknown, a.Type) {
			unknown = append(unknown, a.Type)
		}
		if a.Type == stun.AttrMessageIntegrity || a.Type == stun.AttrMessageIntegritySHA256 {
			break
		}
	}
	return unknown
}

// build makes the answer of the given class: the request's method and
// transaction, and FINGERPRINT exactly when the request had it.
func build(req *stun.Message, class stun.MessageClass, attrs ...stun.Setter) []byte {
	setters := append([]stun.Setter{
		stun.NewType(req.Type.Method, class),
		stun.NewTransactionIDSetter(req.TransactionID),
	}, attrs...)
	if req.Contains(stun.AttrFingerprint) {
		setters = append(setters, stun.Fingerprint)
	}
	m, err := stun.Build(setters...)
	if err != nil { // an address of neither family: nothing true can be said
		return nil
	}
	return m.Raw
}
