package sfutest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/sctp"
	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
)

var (
	// ErrClosed is returned by every call on a closed Peer and by waits that its Close ends.
	ErrClosed = errors.New("sfutest: peer is closed")
	// ErrFailed is returned by waits for a connection that has failed.
	ErrFailed = errors.New("sfutest: connection failed")
	// ErrNoTrack is returned where a Subscriber has not received its first packet yet.
	ErrNoTrack = errors.New("sfutest: no media on this mid yet")
)

// Config is what a Peer is made of. The zero value is an ordinary endpoint that sends its SDP before gathering.
type Config struct {
	Codecs         []Codec // offered and accepted; empty means AllCodecs
	WithoutRTX     bool    // no rtx in any section
	Gather         bool    // SDP waits for the end of gathering and then carries candidates
	TCPOnly        bool    // ICE over active TCP only
	WithoutUDP     bool    // all UDP is lost, as behind some firewalls, until Return
	AcceptReplays  bool    // SRTP replay protection off, to see a retransmission that comes without RTX
	ExtensionShift int     // unused header extensions offered first, so that the ids of the others move up
	Interceptors   bool    // pion's default interceptors (NACK, reports, TWCC)
	Lite           bool    // ICE-lite: it answers checks and sends none; needs Gather
	Restarts       bool    // ICE credentials change with OfferRestart; such a peer has no Identity

	// Net is the network that the peer is on, such as a virtual one with limits; nil means the machine's.
	Net transport.Net

	ICEServers []ICEServer    // STUN and TURN
	RelayOnly  bool           // no candidates but relayed ones (iceTransportPolicy relay)
	RelayRoots *x509.CertPool // CAs of TURN over TLS; where it is set, all of TURN over TCP is over TLS

	// Disconnected and Failed are the ICE timeouts; zero means pion's 5 s and 25 s.
	Disconnected, Failed time.Duration

	// Identity makes this peer the continuation of another: same ICE credentials, same certificate. That is what a
	// browser does that moves the remaining mids to a new transport (clients of contract 1.6).
	Identity *Identity
}

// ICEServer is one entry of RTCConfiguration.iceServers.
type ICEServer struct {
	URLs                 []string
	Username, Credential string
}

// Identity is the part of a peer that outlives its transport.
type Identity struct {
	ufrag, pwd  string
	certificate webrtc.Certificate
}

// Peer is one PeerConnection with every goroutine under it.
type Peer struct {
	cfg       Config                 // fixed after construction
	pc        *webrtc.PeerConnection // fixed after construction
	link      *link                  // fixed after construction
	identity  *Identity              // fixed after construction
	bell      bell
	connected chan struct{} // closed at the first connected state
	done      chan struct{} // closed by Close
	joined    chan struct{} // closed when Close has joined everything
	loops     sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	state       webrtc.PeerConnectionState
	everUp      bool
	subscribers map[string]*Subscriber
	incoming    []*Channel // opened in band by the far end
}

// NewPeer makes a peer that has not negotiated yet.
func NewPeer(cfg Config) (*Peer, error) {
	if len(cfg.Codecs) == 0 {
		cfg.Codecs = AllCodecs()
	}
	identity, err := identityOf(cfg)
	if err != nil {
		return nil, err
	}
	network, err := newLink(cfg.Net)
	if err != nil {
		return nil, err
	}
	network.cut.Store(cfg.WithoutUDP)
	api, err := newAPI(cfg, network, identity)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(configuration(cfg, identity))
	if err != nil {
		return nil, fmt.Errorf("sfutest: new peer connection: %w", err)
	}
	p := &Peer{
		cfg: cfg, pc: pc, link: network, identity: identity,
		connected: make(chan struct{}), done: make(chan struct{}), joined: make(chan struct{}),
		subscribers: map[string]*Subscriber{},
	}
	pc.OnConnectionStateChange(p.stateChanged)
	pc.OnTrack(p.attach)
	pc.OnDataChannel(p.arrived)
	return p, nil
}

func configuration(cfg Config, identity *Identity) webrtc.Configuration {
	c := webrtc.Configuration{
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
		Certificates: []webrtc.Certificate{identity.certificate},
	}
	for _, s := range cfg.ICEServers {
		c.ICEServers = append(c.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	if cfg.RelayOnly {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	return c
}

// tlsDialer connects to TURN servers over TLS: pion's own knows no CA but the system's.
type tlsDialer struct{ roots *x509.CertPool }

// Dial implements the proxy dialer of pion/ice.
func (d tlsDialer) Dial(network, addr string) (net.Conn, error) {
	return tls.Dial(network, addr, &tls.Config{RootCAs: d.roots})
}

func newAPI(cfg Config, network *link, identity *Identity) (*webrtc.API, error) {
	engine, err := mediaEngine(cfg)
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	if cfg.Interceptors {
		if err := webrtc.RegisterDefaultInterceptors(engine, registry); err != nil {
			return nil, fmt.Errorf("sfutest: interceptors: %w", err)
		}
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	s := webrtc.SettingEngine{LoggerFactory: quiet}
	s.SetNet(network)
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetDTLSRetransmissionInterval(200 * time.Millisecond)
	s.SetLite(cfg.Lite)
	if !cfg.Restarts {
		s.SetICECredentials(identity.ufrag, identity.pwd)
	}
	s.SetICETimeouts(orElse(cfg.Disconnected, 5*time.Second), orElse(cfg.Failed, 25*time.Second), 2*time.Second)
	if cfg.TCPOnly {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	} else {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	}
	if cfg.RelayOnly {
		s.SetRelayAcceptanceMinWait(0) // there is nothing better to wait for
	}
	if cfg.RelayRoots != nil {
		s.SetICEProxyDialer(tlsDialer{cfg.RelayRoots})
	}
	if cfg.AcceptReplays {
		s.DisableSRTPReplayProtection(true)
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(registry)), nil
}

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// Identity is what a continuation of this peer needs in its Config.
func (p *Peer) Identity() *Identity { return p.identity }

// Connected is closed at the first time that ICE and DTLS are up.
func (p *Peer) Connected() <-chan struct{} { return p.connected }

// State is the present state of the connection.
func (p *Peer) State() webrtc.PeerConnectionState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// WaitConnected returns when ICE and DTLS are up for the first time.
func (p *Peer) WaitConnected(ctx context.Context) error {
	return p.WaitState(ctx, webrtc.PeerConnectionStateConnected)
}

// WaitState returns when the connection is in the state; ErrFailed if it fails or closes instead.
func (p *Peer) WaitState(ctx context.Context, want webrtc.PeerConnectionState) error {
	got, err := await(ctx, &p.bell, p.done, p.State, func(s webrtc.PeerConnectionState) bool {
		return s == want || s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateClosed
	})
	switch {
	case err != nil:
		return fmt.Errorf("sfutest: wait for %s: %w", want, err)
	case got != want:
		return fmt.Errorf("sfutest: wait for %s: %w (%s)", want, ErrFailed, got)
	}
	return nil
}

func (p *Peer) stateChanged(state webrtc.PeerConnectionState) {
	p.mu.Lock()
	p.state = state
	first := state == webrtc.PeerConnectionStateConnected && !p.everUp
	if first {
		p.everUp = true
	}
	p.mu.Unlock()
	if first {
		close(p.connected)
	}
	p.bell.ring()
}

// Vanish cuts the peer's network without a word to the far end, until Return. ICE over TCP is not cut.
func (p *Peer) Vanish() { p.link.cut.Store(true) }

// Return undoes Vanish. The peer's own ICE must not have failed meanwhile (Config.Failed).
func (p *Peer) Return() { p.link.cut.Store(false) }

// writeRTCP sends one RTCP packet.
func (p *Peer) writeRTCP(packets ...rtcp.Packet) error {
	if err := p.pc.WriteRTCP(packets); err != nil {
		return fmt.Errorf("sfutest: write rtcp: %w", err)
	}
	return nil
}

// spawn runs loop in a goroutine that Close joins; it refuses after Close.
func (p *Peer) spawn(loop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.loops.Go(loop)
}

// Close ends the connection as a page that leaves does (close_notify is sent) and joins every goroutine.
func (p *Peer) Close() error {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		<-p.joined
		return nil
	}
	close(p.done)
	err := p.pc.GracefulClose()
	p.loops.Wait()
	close(p.joined)
	// An SFU that was closed first has ended the association, and there is no channel left to reset.
	if err != nil && !errors.Is(err, sctp.ErrResetPacketInStateNotExist) {
		return fmt.Errorf("sfutest: close: %w", err)
	}
	return nil
}
