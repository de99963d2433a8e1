package stunserver

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/stun/v2"
)

// The transaction and the two addresses are those of RFC 5769, whose sample
// responses show what the XOR must come to.
const (
	transaction = "b7e7a701bc34d686fa87dfae"
	addr4       = "192.0.2.1:32853"
	addr6       = "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
	xor4        = "00200008" + "0001a147e112a643"
	xor6        = "00200014" + "0002a147" + "0113a9faa5d3f179bc25f4b5bed2b9d9"
)

// message is a raw STUN message: type, body length from the body, cookie,
// transaction, body.
func message(t testing.TB, typ, body string) []byte {
	t.Helper()
	b := unhex(t, body)
	head := unhex(t, typ+"0000"+"2112a442"+transaction)
	head[2], head[3] = byte(len(b)>>8), byte(len(b))
	return append(head, b...)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRespondBytes(t *testing.T) {
	unknown := "000900 15 00000414" + hex.EncodeToString([]byte("Unknown Attribute")) + "000000"
	for _, tc := range []struct {
		name, from, typ, body string
		wantType, wantBody    string // wantType "" means silence
	}{
		{"binding over IPv4", addr4, "0001", "", "0101", xor4},
		{"binding over IPv6", addr6, "0001", "", "0101", xor6},
		{"binding over IPv4 on a socket of both families", "[::ffff:192.0.2.1]:32853", "0001", "", "0101", xor4},
		{"unknown optional attribute is ignored", addr4, "0001", "8022 0004 61626364", "0101", xor4},
		{"known attribute is ignored", addr4, "0001", "0006 0003 61626300", "0101", xor4},
		{"unknown required attribute", addr4, "0001", "0024 0004 00000001", "0111", unknown + "000a0002 0024 0000"},
		{"unknown attributes are listed once, 16 bits each", addr4, "0001", "7f01 0000 7f02 0000 7f01 0000", "0111", unknown + "000a0004 7f017f02"},
		{"attributes behind MESSAGE-INTEGRITY are ignored", addr4, "0001", "0008 0014 " + strings.Repeat("00", 20) + "7f010000", "0101", xor4},
		{"attributes behind MESSAGE-INTEGRITY-SHA256 are ignored", addr4, "0001", "001c 0020 " + strings.Repeat("00", 32) + "7f010000", "0101", xor4},
		{"indication", addr4, "0011", "", "", ""},
		{"success response", addr4, "0101", xor4, "", ""},
		{"error response", addr4, "0111", "", "", ""},
		{"TURN allocate", addr4, "0003", "0019 0004 11000000", "0113", "0009000f 00000400" + hex.EncodeToString([]byte("Bad Request")) + "00"},
		{"attribute longer than the message", addr4, "0001", "8022 00ff 00000000", "", ""},
		{"half an attribute header", addr4, "0001", "8022", "", ""},
		{"first bits not zero", addr4, "8001", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := respond(message(t, tc.typ, tc.body), netip.MustParseAddrPort(tc.from))
			var want []byte
			if tc.wantType != "" {
				want = message(t, tc.wantType, strings.ReplaceAll(tc.wantBody, " ", ""))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

func TestRespondKeepsSilentOnDatagramsThatAreNotSTUN(t *testing.T) {
	good := message(t, "0001", "")
	badCookie := bytes.Clone(good)
	badCookie[4] ^= 1
	for name, data := range map[string][]byte{
		"empty":           nil,
		"short":           good[:19],
		"cookie":          badCookie,
		"bytes left over": append(bytes.Clone(good), 0, 0, 0, 0),
		"length too long": unhex(t, "00010004 2112a442"+transaction),
	} {
		if out := respond(data, netip.MustParseAddrPort(addr4)); out != nil {
			t.Errorf("%s: answered %x", name, out)
		}
	}
}

func TestFingerprintIsAnsweredInKindAndChecked(t *testing.T) {
	from := netip.MustParseAddrPort(addr4)
	req := stun.MustBuild(stun.BindingRequest, stun.TransactionID, stun.Fingerprint)

	res := decode(t, respond(req.Raw, from))
	if err := stun.Fingerprint.Check(res); err != nil {
		t.Errorf("fingerprint of the answer: %v", err)
	}

	damaged := bytes.Clone(req.Raw)
	damaged[10] ^= 1 // a byte of the transaction
	if out := respond(damaged, from); out != nil {
		t.Errorf("a request with a wrong fingerprint was answered: %x", out)
	}

	notLast := stun.MustBuild(stun.BindingRequest, stun.TransactionID, stun.Fingerprint, stun.NewSoftware("x"))
	if out := respond(notLast.Raw, from); out != nil {
		t.Errorf("a fingerprint that is not the last attribute was taken: %x", out)
	}

	plain := stun.MustBuild(stun.BindingRequest, stun.TransactionID)
	if res := decode(t, respond(plain.Raw, from)); res.Contains(stun.AttrFingerprint) {
		t.Error("fingerprint in an answer to a request without one")
	}
}

func decode(t testing.TB, raw []byte) *stun.Message {
	t.Helper()
	m := new(stun.Message)
	if err := stun.Decode(raw, m); err != nil {
		t.Fatalf("answer %x: %v", raw, err)
	}
	return m
}

// FuzzRespond throws datagrams at the handler. Whatever is answered must be a
// response to a request that was really there, and no larger than a reflector
// would like it.
func FuzzRespond(f *testing.F) {
	f.Add(message(f, "0001", ""))
	f.Add(message(f, "0001", "7f01000080220000"))
	f.Add(message(f, "0003", "0019000411000000"))
	f.Add(stun.MustBuild(stun.BindingRequest, stun.TransactionID, stun.Fingerprint).Raw)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	from := netip.MustParseAddrPort(addr6)
	f.Fuzz(func(t *testing.T, data []byte) {
		out := respond(data, from)
		if out == nil {
			return
		}
		req, res := decode(t, data), decode(t, out)
		if req.Type.Class != stun.ClassRequest || res.Type.Method != req.Type.Method ||
			res.TransactionID != req.TransactionID {
			t.Fatalf("%x answered %x", data, out)
		}
		if res.Type.Class != stun.ClassSuccessResponse && res.Type.Class != stun.ClassErrorResponse {
			t.Fatalf("answer of class %s", res.Type.Class)
		}
		if len(out) > len(data)+64 {
			t.Fatalf("%d bytes answered to %d", len(out), len(data))
		}
	})
}
