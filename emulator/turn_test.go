package emulator

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

const (
	turnKey      = "key"
	turnToken    = "token-of-the-turn-key"
	asKey        = "Authorization: Bearer " + turnToken
	keyPath      = "/v1/turn/keys/" + turnKey + "/credentials/"
	generateList = keyPath + "generate-ice-servers"
)

func withTURN(c *Config) {
	c.STUN = "127.0.0.1:0"
	c.TURNKeys = map[string]string{turnKey: turnToken}
}

// iceServers issues a credential.
func (r *rig) iceServers() []wire.ICEServer {
	r.t.Helper()
	var out wire.ICEServersResponse
	a := r.do("POST", generateList, strings.NewReader(`{"ttl":600}`), asKey)
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 201 {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
	return out.ICEServers
}

func TestURLsAreListedWhereTURNAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*Config)
		want string // with the ports as STUN and TLS
	}{
		"everything":  {func(*Config) {}, "stun:127.0.0.1:STUN turn:127.0.0.1:STUN?transport=udp turn:127.0.0.1:STUN?transport=tcp turns:127.0.0.1:TLS?transport=tcp"},
		"without TLS": {func(c *Config) { c.TURNTLS = STUNOff }, "stun:127.0.0.1:STUN turn:127.0.0.1:STUN?transport=udp turn:127.0.0.1:STUN?transport=tcp"},
		"a wildcard":  {func(c *Config) { c.STUN, c.TURNTLS = "0.0.0.0:0", STUNOff }, "stun:127.0.0.1:STUN turn:127.0.0.1:STUN?transport=udp turn:127.0.0.1:STUN?transport=tcp"},
		"a name":      {func(c *Config) { c.TURNHost, c.TURNTLS = "turn.example", STUNOff }, "stun:turn.example:STUN turn:turn.example:STUN?transport=udp turn:turn.example:STUN?transport=tcp"},
		"an address":  {func(c *Config) { c.TURNHost, c.TURNTLS = "[2001:db8::7]", STUNOff }, "stun:[2001:db8::7]:STUN turn:[2001:db8::7]:STUN?transport=udp turn:[2001:db8::7]:STUN?transport=tcp"},
		"off":         {func(c *Config) { c.STUN = STUNOff }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withTURN, tc.edit)
			want := tc.want
			if r.e.stun != nil {
				udp, _ := r.e.stun.Addrs()
				want = strings.ReplaceAll(want, "STUN", fmt.Sprint(udp.Port()))
				want = strings.ReplaceAll(want, "TLS", fmt.Sprint(r.e.stun.TLSAddr().Port()))
			}
			var listed []string
			for _, s := range r.iceServers() {
				listed = append(listed, s.URLs...)
			}
			if got := strings.Join(listed, " "); got != want {
				t.Errorf("list %s, want %s", got, want)
			}
			var object wire.CredentialsResponse
			a := r.do("POST", keyPath+"generate", strings.NewReader(`{"ttl":600}`), asKey)
			if err := json.Unmarshal([]byte(a.body), &object); err != nil || a.status != 201 || !strings.Contains(a.body, `"urls":[`) {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := strings.Join(object.ICEServers.URLs, " "); got != want {
				t.Errorf("object %s, want %s", got, want)
			}
		})
	}
}

func TestTURNOverTLSIsBesideSTUN(t *testing.T) {
	for stun, want := range map[string]string{"127.0.0.1:3478": "127.0.0.1:5349", "0.0.0.0:9": "0.0.0.0:5349", "127.0.0.1:0": "127.0.0.1:0"} {
		a, err := Config{STUN: stun}.withDefaults().addresses()
		if err != nil || a.turnTLS.String() != want {
			t.Errorf("STUN at %s: TLS at %s, %v, want %s", stun, a.turnTLS, err, want)
		}
	}
}

func TestSettingsOfTURNThatCannotBeUsed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, tc := range []struct {
		setting, value string
		edit           func(*Config)
	}{
		{"relay-ip", "here", func(c *Config) { c.RelayIP = "here" }},
		{"relay-ip", "::1", func(c *Config) { c.RelayIP = "::1" }},
		{"relay-ip", "192.0.2.1", func(c *Config) { c.RelayIP = "192.0.2.1" }},
		{"relay-ports", "9", func(c *Config) { c.RelayPorts = "9" }},
		{"relay-ports", "9-8", func(c *Config) { c.RelayPorts = "9-8" }},
		{"relay-ports", "0-8", func(c *Config) { c.RelayPorts = "0-8" }},
		{"turn-host", "turn:here", func(c *Config) { c.TURNHost = "turn:here" }},
		{"turn-tls", "here", func(c *Config) { c.TURNTLS = "here" }},
		{"turn-tls", taken.Addr().String(), func(c *Config) { c.TURNTLS = taken.Addr().String() }},
	} {
		cfg := Config{Listen: "127.0.0.1:0", Media: []string{"127.0.0.1"}, STUN: "127.0.0.1:0", TURNTLS: STUNOff}
		tc.edit(&cfg)
		e, err := New(cfg)
		var bad *ConfigError
		if !errors.As(err, &bad) || bad.Setting != tc.setting || bad.Value != tc.value || bad.Problem == "" || bad.Cure == "" {
			t.Errorf("%s %s: %v", tc.setting, tc.value, err)
		}
		if e != nil {
			_ = e.Close()
		}
	}
	for value, good := range map[string]bool{"key:token": true, "key:to:ken": true, "key": false, "key:": false, "a b:token": false} {
		if _, _, err := ParseTURNKey(value); (err == nil) != good {
			t.Errorf("ParseTURNKey(%q): %v", value, err)
		}
	}
}

func TestRefusalsOfTURNCredentialsExplainThemselves(t *testing.T) {
	r := newRig(t, withTURN, func(c *Config) { c.Mode = session.ModeDev })
	for _, tc := range []struct{ path, body, header, want string }{
		{generateList, `{"ttl":864000}`, asKey, "TURN-1"},
		{generateList, `{}`, asKey, "BODY-2"},
		{generateList, `{"ttl":1}`, "Authorization: Bearer wrong", "AUTH-1"},
		{generateList, `{"ttl":1}`, "X: y", "TURN key API token"},
		{keyPath + "nothing", ``, asKey, "HTTP-1"},
	} {
		a := r.do("POST", tc.path, strings.NewReader(tc.body), tc.header)
		if got := a.header.Get("X-Emu-Explain"); a.status < 400 || !strings.Contains(got, tc.want) {
			t.Errorf("%s %s: %d, explained by %q, want %s", tc.path, tc.body, a.status, got, tc.want)
		}
	}
	if a := r.do("GET", generateList, nil, asKey); a.status != 405 {
		t.Errorf("GET: %d", a.status)
	}
	// A seeded key has its own token in dev mode, too; any other key takes any.
	if a := r.do("POST", "/v1/turn/keys/other/credentials/generate", strings.NewReader(`{"ttl":1}`), "Authorization: Bearer x"); a.status != 201 {
		t.Errorf("another key in dev mode: %d %s", a.status, a.body)
	}
	s := r.iceServers()[1]
	if a := r.do("POST", keyPath+s.Username+"/revoke", nil, asKey); a.status != 204 || a.body != "" || a.header.Get("Content-Type") != "" {
		t.Errorf("revoke: %d %q %v", a.status, a.body, a.header)
	}
	r.do("POST", keyPath+s.Username+"/revok", nil, asKey)
	r.do("POST", "/v1/turn/"+s.Username, nil, asKey)
	for _, secret := range []string{s.Username, s.Credential, turnToken} {
		if strings.Contains(string(r.log.Bytes()), secret) {
			t.Errorf("the log has a credential")
		}
	}
}

func TestTheLongestTTLIsARule(t *testing.T) {
	r := newRig(t, withTURN)
	r.zone("PUT", "settings", `{"turn-max-ttl":"1h"}`, 200, nil)
	for body, want := range map[string]int{`{"ttl":3600}`: 201, `{"ttl":3601}`: 400} {
		if a := r.do("POST", generateList, strings.NewReader(body), asKey); a.status != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// withRoots lets a peer trust the emulator's CA where TURN is over TLS.
func (r *rig) withRoots(cfg sfutest.Config) sfutest.Config {
	if strings.HasPrefix(cfg.ICEServers[0].URLs[0], "turns:") {
		cfg.RelayRoots = x509.NewCertPool()
		cfg.RelayRoots.AppendCertsFromPEM(r.e.CA())
	}
	return cfg
}

// relayed connects a session's endpoint by one URL alone, through its relay.
func (r *rig) relayed(s wire.ICEServer, url string) {
	t := r.t
	t.Helper()
	cfg := sfutest.Config{Gather: true, RelayOnly: true,
		ICEServers: []sfutest.ICEServer{{URLs: []string{url}, Username: s.Username, Credential: s.Credential}}}
	peer, err := sfutest.NewPeer(r.withRoots(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	if _, err := peer.Publish(sfutest.Track{Codec: sfutest.Opus}); err != nil {
		t.Fatal(err)
	}
	offer, err := peer.Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"sessionDescription": map[string]string{"type": "offer", "sdp": offer}})
	if err != nil {
		t.Fatal(err)
	}
	a := r.do("POST", "/v1/apps/"+appID+"/sessions/new", strings.NewReader(string(body)), "Authorization: Bearer "+secret)
	var out wire.NewSessionResponse
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || out.SessionDescription == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := peer.SetAnswer(out.SessionDescription.SDP); err != nil {
		t.Fatal(err)
	}
	if err := peer.WaitConnected(t.Context()); err != nil {
		t.Fatalf("by %s: %v", url, err)
	}
}

func TestTheStateShowsAllocations(t *testing.T) {
	r := newRig(t, withTURN, func(c *Config) { c.Mode = session.ModeReal })
	s := r.iceServers()[1]
	r.relayed(s, s.URLs[0])
	var state struct{ TURN turnState }
	r.zone("GET", "state", "", 200, &state)
	if len(state.TURN.Allocations) != 1 || state.TURN.Allocated != 1 || !slices.Equal(state.TURN.URLs, s.URLs) {
		t.Fatalf("state %+v", state.TURN)
	}
	got := state.TURN.Allocations[0]
	if got.Transport != "udp" || got.Peers == 0 || got.ToPeersBytes == 0 || got.FromPeersBytes == 0 || state.TURN.ToPeers.Packets == 0 {
		t.Errorf("state %+v", state.TURN)
	}
	if relay, err := netip.ParseAddrPort(got.Relay); err != nil || relay.Addr() != loopback {
		t.Errorf("relay %q", got.Relay)
	}
}
