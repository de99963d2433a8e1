package sfu

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol/alert"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v5/deadline"
)

// The seams between forwarding and encryption. pion/srtp's Context satisfies both; each belongs to one association and is
// used under its in or out lock.
type (
	opener interface {
		DecryptRTP(dst, encrypted []byte, header *rtp.Header) ([]byte, error)
		DecryptRTCP(dst, encrypted []byte, header *rtcp.Header) ([]byte, error)
	}
	sealer interface {
		EncryptRTP(dst, plaintext []byte, header *rtp.Header) ([]byte, error)
		EncryptRTCP(dst, decrypted []byte, header *rtcp.Header) ([]byte, error)
	}
)

const (
	handshakeTimeout = 30 * time.Second
	dtlsQueue        = 64 // records that wait for pion's reader: handshakes, and SCTP, which sends again what is dropped here
	replayWindow     = 512
	sealRoom         = 32 // bytes that SRTP and SRTCP may add: 16 for GCM, 10 + 4 for AES-CM
)

var (
	errFingerprint = errors.New("certificate does not match the fingerprint in the sdp")
	errNoMedia     = errors.New("the endpoint has not agreed on srtp")
)

// noMedia stands for the ciphers of a connection without SRTP.
type noMedia struct{}

func (noMedia) DecryptRTP(_, _ []byte, _ *rtp.Header) ([]byte, error)   { return nil, errNoMedia }
func (noMedia) DecryptRTCP(_, _ []byte, _ *rtcp.Header) ([]byte, error) { return nil, errNoMedia }
func (noMedia) EncryptRTP(_, _ []byte, _ *rtp.Header) ([]byte, error)   { return nil, errNoMedia }
func (noMedia) EncryptRTCP(_, _ []byte, _ *rtcp.Header) ([]byte, error) { return nil, errNoMedia }

// association is one DTLS connection with an endpoint and the SRTP keys that it gave. A Peer usually has one; Chromium
// makes a second when the section that carried the BUNDLE transport is closed.
type association struct {
	peer   *Peer
	client bool     // the SFU is the DTLS client
	random [32]byte // the endpoint's client random: tells a retransmitted ClientHello from a new connection
	path   atomic.Pointer[path]

	cancel  context.CancelFunc // ends the handshake
	records chan []byte
	closed  chan struct{}
	once    sync.Once
	reading *deadline.Deadline

	// Fixed once established.
	conn *dtls.Conn

	inMu sync.Mutex
	in   opener

	// Guarded by peer.outMu.
	out  sealer
	rtcp []byte // reused by sendRTCPLocked
}

func newAssociation(p *Peer, client bool, at path, cancel context.CancelFunc) *association {
	a := &association{
		peer:    p,
		client:  client,
		cancel:  cancel,
		records: make(chan []byte, dtlsQueue),
		closed:  make(chan struct{}),
		reading: deadline.New(),
	}
	a.path.Store(&at)
	return a
}

// run is the association's goroutine: handshake, then what the endpoint sends until it closes.
func (a *association) run(ctx context.Context) error {
	if err := a.handshake(ctx); err != nil {
		return err
	}
	if err := a.peer.install(a); err != nil {
		return err
	}
	buf := make([]byte, 8192)
	for {
		n, err := a.conn.Read(buf)
		if err != nil {
			return err
		}
		a.peer.receiveData(buf[:n])
	}
}

func (a *association) handshake(ctx context.Context) error {
	common := []dtls.Option{
		dtls.WithCertificates(a.peer.sfu.certificate),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithInsecureSkipVerify(true), // certificates are self-signed; the fingerprint of the SDP is what counts (RFC 8827)
		dtls.WithLoggerFactory(a.peer.sfu.logging),
	}
	var conn *dtls.Conn
	var err error
	if a.client {
		opts := make([]dtls.ClientOption, 0, len(common))
		for _, o := range common {
			opts = append(opts, o)
		}
		conn, err = dtls.ClientWithOptions(pipe{a}, pipeAddr{}, opts...)
	} else {
		opts := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
		for _, o := range common {
			opts = append(opts, o)
		}
		conn, err = dtls.ServerWithOptions(pipe{a}, pipeAddr{}, opts...)
	}
	if err != nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(timed); err != nil {
		return errors.Join(err, conn.Close())
	}
	// The endpoint may finish DTLS long before its answer reaches the API: the wait for its fingerprint has no limit but
	// the Peer's own life.
	if err := a.keys(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	a.conn = conn
	return nil
}

// isCloseNotify says whether an error of pion/dtls is that the endpoint closed the connection (RFC 5246 section 7.2.1). The type is not
// exported.
func isCloseNotify(err error) bool {
	var received interface {
		IsFatalOrCloseNotify() bool
		String() string
	}
	closing := alert.Alert{Level: alert.Warning, Description: alert.CloseNotify}
	return errors.As(err, &received) && received.String() == closing.String()
}

// keys checks who is at the other end and derives the SRTP keys (RFC 5764 section 4.2).
func (a *association) keys(ctx context.Context, conn *dtls.Conn) error {
	state, ok := conn.ConnectionState()
	if !ok || len(state.PeerCertificates) == 0 {
		return errFingerprint
	}
	want, err := a.peer.remoteFingerprint(ctx)
	if err != nil {
		return err
	}
	if !fingerprintMatches(want, state.PeerCertificates[0]) {
		return errFingerprint
	}
	chosen, ok := conn.SelectedSRTPProtectionProfile()
	if !ok { // an endpoint that has data channels alone need not know SRTP
		a.in, a.out = noMedia{}, noMedia{}
		return nil
	}
	profile := srtp.ProtectionProfileAeadAes128Gcm
	if chosen == dtls.SRTP_AES128_CM_HMAC_SHA1_80 {
		profile = srtp.ProtectionProfileAes128CmHmacSha1_80
	}
	config := srtp.Config{Profile: profile}
	if err := config.ExtractSessionKeysFromDTLS(&state, a.client); err != nil {
		return err
	}
	k := config.Keys
	in, err := srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return err
	}
	out, err := srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, profile)
	if err != nil {
		return err
	}
	a.in, a.out = in, out
	return nil
}

// checkable reports whether fingerprintMatches knows the algorithm.
func checkable(fingerprint string) bool {
	algorithm, value, _ := strings.Cut(fingerprint, " ")
	switch strings.ToLower(algorithm) {
	case "sha-256", "sha-384", "sha-512":
		return value != ""
	}
	return false
}

// fingerprintMatches compares "sha-256 AA:BB:..." of an SDP (RFC 8122 section 5) with a certificate.
func fingerprintMatches(want string, certificate []byte) bool {
	algorithm, value, _ := strings.Cut(want, " ")
	var sum []byte
	switch strings.ToLower(algorithm) {
	case "sha-256":
		s := sha256.Sum256(certificate)
		sum = s[:]
	case "sha-384":
		s := sha512.Sum384(certificate)
		sum = s[:]
	case "sha-512":
		s := sha512.Sum512(certificate)
		sum = s[:]
	default:
		return false
	}
	return strings.EqualFold(strings.TrimSpace(value), colons(sum))
}

func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// push hands a record to pion's reader. The slice is copied; a full queue loses it, as a network would.
func (a *association) push(record []byte) {
	select {
	case a.records <- append([]byte(nil), record...):
	default:
	}
}

// close ends the association; its goroutine is joined by the Peer.
func (a *association) close() {
	a.once.Do(func() {
		a.cancel()
		close(a.closed)
	})
}

// sendRTCP seals and sends one compound packet.
func (a *association) sendRTCP(packets []rtcp.Packet) error {
	plain, err := rtcp.Marshal(packets)
	if err != nil {
		return fmt.Errorf("marshal rtcp: %w", err)
	}
	a.peer.outMu.Lock()
	defer a.peer.outMu.Unlock()
	return a.sendRTCPLocked(plain)
}

// sendRTCPLocked needs peer.outMu.
func (a *association) sendRTCPLocked(plain []byte) error {
	if cap(a.rtcp) < len(plain)+sealRoom {
		a.rtcp = make([]byte, 0, len(plain)+sealRoom)
	}
	sealed, err := a.out.EncryptRTCP(a.rtcp[:0], plain, nil)
	if err != nil {
		return fmt.Errorf("seal rtcp: %w", err)
	}
	a.path.Load().send(sealed)
	return nil
}

// pipe is the net.PacketConn under an association's DTLS: records come from the packet path, and leave on the
// association's own path.
type pipe struct{ a *association }

func (p pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case r := <-p.a.records:
		return copy(b, r), pipeAddr{}, nil
	case <-p.a.reading.Done():
		return 0, nil, os.ErrDeadlineExceeded
	case <-p.a.closed:
		return 0, nil, io.EOF
	}
}

func (p pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.a.path.Load().send(b)
	return len(b), nil
}

func (p pipe) Close() error                       { p.a.close(); return nil }
func (p pipe) LocalAddr() net.Addr                { return pipeAddr{} }
func (p pipe) SetDeadline(t time.Time) error      { p.a.reading.Set(t); return nil }
func (p pipe) SetReadDeadline(t time.Time) error  { p.a.reading.Set(t); return nil }
func (p pipe) SetWriteDeadline(_ time.Time) error { return nil }

// pipeAddr stands for "the endpoint", wherever ICE finds it.
type pipeAddr struct{}

func (pipeAddr) Network() string { return "ice" }
func (pipeAddr) String() string  { return "endpoint" }
