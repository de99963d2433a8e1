package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// wantPackets is how many packets prove that media flows.
const wantPackets = 10

// errNoRelay is a TURN server that gives no relay, though it answers.
var errNoRelay = errors.New("the TURN server gave no relay")

// candidate is one row a=candidate of an SDP.
type candidate struct {
	protocol string // udp or tcp
	addr     netip.AddrPort
}

// candidateOf reads a line such as "a=candidate:1 1 udp 2130706431 127.0.0.1 1473 typ host".
func candidateOf(line string) (candidate, bool) {
	fields := strings.Fields(line)
	if !strings.HasPrefix(line, "a=candidate:") || len(fields) < 6 {
		return candidate{}, false
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(fields[4], fields[5]))
	return candidate{strings.ToLower(fields[2]), addr}, err == nil
}

// candidatesOf lists each candidate of an SDP once.
func candidatesOf(sdp string) (list []candidate) {
	seen := map[candidate]bool{}
	for line := range strings.Lines(sdp) {
		if c, ok := candidateOf(line); ok && !seen[c] {
			seen[c] = true
			list = append(list, c)
		}
	}
	return list
}

// keepOnly drops every candidate from an SDP but those that use takes.
func keepOnly(sdp string, use func(candidate) bool) string {
	var kept strings.Builder
	for line := range strings.Lines(sdp) {
		if c, ok := candidateOf(line); strings.HasPrefix(line, "a=candidate:") && (!ok || !use(c)) {
			continue
		}
		kept.WriteString(line)
	}
	return kept.String()
}

// way is one way that media, data or a STUN request can take, and what became of it.
type way struct {
	kind string    // stun, ice, turn or data
	to   candidate // of ice
	via  iceURL    // of stun and turn
	seen string    // of stun: this machine's address

	unreached error // of turn: the server does not answer at all
	err       error
}

// tryMedia tries every way at once.
func (p *patient) tryMedia(ctx context.Context) []*way {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	var ways []*way
	for _, u := range p.ice {
		if u.scheme == "stun" {
			ways = append(ways, &way{kind: "stun", via: u})
		}
	}
	for _, c := range p.candidates {
		ways = append(ways, &way{kind: "ice", to: c})
	}
	for _, u := range p.ice {
		if u.scheme != "stun" {
			ways = append(ways, &way{kind: "turn", via: u})
		}
	}
	ways = append(ways, &way{kind: "data"})
	var trying sync.WaitGroup
	for _, w := range ways {
		trying.Go(func() { p.try(ctx, w) })
	}
	trying.Wait()
	return ways
}

func (p *patient) try(ctx context.Context, w *way) {
	switch w.kind {
	case "stun":
		var seen netip.AddrPort
		seen, w.err = sfutest.Binding(ctx, w.via.String())
		w.seen = seen.String()
	case "ice":
		w.err = p.flow(ctx, sfutest.Config{TCPOnly: w.to.protocol == "tcp"}, func(c candidate) bool { return c == w.to })
	case "turn":
		if w.unreached = p.reach(ctx, w.via); w.unreached == nil {
			w.err = p.flow(ctx, p.relayed(w.via), func(candidate) bool { return true })
		}
	case "data":
		w.err = p.talk(ctx)
	}
}

// reach says why a TURN server does not answer.
func (p *patient) reach(ctx context.Context, u iceURL) error {
	var conn net.Conn
	var err error
	switch u.transport {
	case "udp":
		_, err = sfutest.Binding(ctx, u.String())
		return err
	case "tcp":
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", u.String())
	default:
		conn, err = (&tls.Dialer{Config: &tls.Config{RootCAs: p.roots}}).DialContext(ctx, "tcp", u.String())
	}
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// relayed is a peer that has nothing but this TURN server.
func (p *patient) relayed(u iceURL) sfutest.Config {
	cfg := sfutest.Config{
		ICEServers: []sfutest.ICEServer{{URLs: []string{u.url()}, Username: p.iceAuth.username, Credential: p.iceAuth.password}},
		RelayOnly:  true, Gather: true,
	}
	if u.transport == "tls" {
		cfg.RelayRoots = p.roots
	}
	return cfg
}

// flow publishes a track with one peer and pulls it with another, both of cfg and with the candidates that use takes.
func (p *patient) flow(ctx context.Context, cfg sfutest.Config, use func(candidate) bool) error {
	from, err := sfutest.NewPeer(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	id, err := p.newSession(ctx)
	if err != nil {
		return err
	}
	answer, name, err := p.publish(ctx, from, id, cfg.RelayOnly)
	if err != nil {
		return err
	}
	if err := p.connect(ctx, from, keepOnly(answer, use)); err != nil {
		return err
	}
	to, err := sfutest.NewPeer(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	return p.pull(ctx, to, track{Location: "remote", SessionID: id, TrackName: name}, use)
}

// publish offers one audio track on a session; it gives the SFU's answer, not yet applied, and the track's
// name. The offer of a relayed peer must have a relay.
func (p *patient) publish(ctx context.Context, peer *sfutest.Peer, id string, relayed bool) (answer, name string, err error) {
	sent, err := peer.Publish(sfutest.Track{Codec: sfutest.Opus})
	if err != nil {
		return "", "", err
	}
	offer, err := peer.Offer(ctx)
	if err != nil {
		return "", "", err
	}
	if relayed && !strings.Contains(offer, " typ relay") {
		return "", "", errNoRelay
	}
	const trackName = "doctor"
	out, err := p.session(ctx, http.MethodPost, id+"/tracks/new", message{
		SessionDescription: &description{"offer", offer},
		Tracks:             []track{{Location: "local", Mid: sent.Mid(), TrackName: trackName}},
	})
	return out.sdp(), trackName, err
}

func (p *patient) connect(ctx context.Context, peer *sfutest.Peer, answer string) error {
	if err := peer.SetAnswer(answer); err != nil {
		return err
	}
	return peer.WaitConnected(ctx)
}

// pull receives a track until enough has come.
func (p *patient) pull(ctx context.Context, peer *sfutest.Peer, wanted track, use func(candidate) bool) error {
	id, err := p.newSession(ctx)
	if err != nil {
		return err
	}
	out, err := p.session(ctx, http.MethodPost, id+"/tracks/new", message{Tracks: []track{wanted}})
	if err != nil {
		return err
	}
	if len(out.Tracks) != 1 {
		return fmt.Errorf("%d tracks were pulled instead of one", len(out.Tracks))
	}
	if err := p.answer(ctx, peer, id, keepOnly(out.sdp(), use)); err != nil {
		return err
	}
	_, err = peer.Subscriber(out.Tracks[0].Mid).WaitMore(ctx, wantPackets)
	return err
}

// answer answers an offer of the SFU.
func (p *patient) answer(ctx context.Context, peer *sfutest.Peer, id, offer string) error {
	answer, err := peer.Answer(ctx, offer)
	if err != nil {
		return err
	}
	_, err = p.session(ctx, http.MethodPut, id+"/renegotiate", message{SessionDescription: &description{"answer", answer}})
	return err
}

// talk sends messages over a data channel from one session to another, over UDP.
func (p *patient) talk(ctx context.Context) error {
	from, fromID, err := p.talker(ctx)
	if from != nil {
		defer func() { _ = from.Close() }()
	}
	if err != nil {
		return err
	}
	to, toID, err := p.talker(ctx)
	if to != nil {
		defer func() { _ = to.Close() }()
	}
	if err != nil {
		return err
	}
	const name = "doctor"
	speaks, err := p.open(ctx, from, fromID, channel{Location: "local", DataChannelName: name})
	if err != nil {
		return err
	}
	hears, err := p.open(ctx, to, toID, channel{Location: "remote", SessionID: fromID, DataChannelName: name})
	if err != nil {
		return err
	}
	for ctx.Err() == nil { // until both ends are open on the way
		if err := speaks.SendText("hello"); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err = hears.Wait(short, func(s sfutest.ChannelStats) bool { return s.Count > 0 })
		cancel()
		if err == nil {
			return nil
		}
	}
	return err
}

// talker is a session with a transport for data channels that is up. The peer may be there with an error, too.
func (p *patient) talker(ctx context.Context) (*sfutest.Peer, string, error) {
	peer, err := sfutest.NewPeer(sfutest.Config{})
	if err != nil {
		return nil, "", err
	}
	id, err := p.newSession(ctx)
	if err != nil {
		return peer, "", err
	}
	out, err := p.session(ctx, http.MethodPost, id+"/datachannels/establish",
		message{DataChannel: &channel{Location: "remote", DataChannelName: "server-events"}})
	if err != nil {
		return peer, "", err
	}
	overUDP := func(c candidate) bool { return c.protocol == "udp" }
	if err := p.answer(ctx, peer, id, keepOnly(out.sdp(), overUDP)); err != nil {
		return peer, "", err
	}
	return peer, id, peer.WaitConnected(ctx)
}

// open makes a channel and opens the peer's end of it.
func (p *patient) open(ctx context.Context, peer *sfutest.Peer, id string, wanted channel) (*sfutest.Channel, error) {
	out, err := p.session(ctx, http.MethodPost, id+"/datachannels/new", message{DataChannels: []channel{wanted}})
	if err != nil {
		return nil, err
	}
	if len(out.DataChannels) != 1 {
		return nil, fmt.Errorf("%d data channels were made instead of one", len(out.DataChannels))
	}
	number := out.DataChannels[0].ID
	opened, err := peer.OpenChannel(sfutest.ChannelOptions{Label: wanted.DataChannelName, ID: &number})
	if err != nil {
		return nil, err
	}
	return opened, opened.WaitOpen(ctx)
}
