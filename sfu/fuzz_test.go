package sfu

import (
	"bytes"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
)

// FuzzReceive gives datagrams of an authenticated path to an SFU whose Peer sends and receives media: STUN, DTLS and SRTP as
// they come, and the same bytes sealed with the endpoint's keys, so that they reach everything behind decryption.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1})
	f.Add(append([]byte{0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x40, '0', 0, 0}, bytes.Repeat([]byte{0x90}, 40)...))
	f.Add([]byte{0xb0, 97, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 4, 4, 4})
	f.Add([]byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0xff, 0xff})
	f.Add([]byte{0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3})
	f.Add([]byte{0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1, 2, 3, 4, 0, 0, 0, 7})

	s, err := New(Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	must(f, err)
	f.Cleanup(func() { _ = s.Close() })
	key, salt := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 12)
	context := func(options ...srtp.ContextOption) *srtp.Context {
		c, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm, options...)
		must(f, err)
		return c
	}
	p, err := s.NewPeer()
	must(f, err)
	_, got := push(f, p, video("0", "sendonly"), audio("1", "sendonly"))
	_, subs := pull(f, p, got.Publications["0"])
	from := path{sock: s.sockets[0], addr: netip.MustParseAddrPort("127.0.0.1:9")}
	a := newAssociation(p, false, from, func() {})
	a.in, a.out = context(srtp.SRTPNoReplayProtection(), srtp.SRTCPNoReplayProtection()), context()
	p.current.Store(a)
	f.Cleanup(func() { p.current.Store(nil) })
	subs[0].bind(p.negotiation.sections[2], true)
	sealer, w := context(), newWorker(s)

	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxPacket-sealRoom {
			return
		}
		w.now = time.Now()
		s.receive(w, p, from, bytes.Clone(b))
		if isMedia(b) {
			var sealed []byte
			var err error
			if isRTCP(b) {
				sealed, err = sealer.EncryptRTCP(nil, b, nil)
			} else {
				sealed, err = sealer.EncryptRTP(nil, b, nil)
			}
			if err == nil {
				s.receive(w, p, from, sealed)
			}
		}
		w.forward()
	})
}
