package conformance

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

type credentialsBody struct {
	TTL              any    `json:"ttl,omitempty"`
	CustomIdentifier string `json:"customIdentifier,omitempty"`
}

// iceServer is one entry of iceServers.
type iceServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

func generate(path string, body any) call {
	return call{TURN: true, Method: http.MethodPost, Path: path, Body: body}
}

// iceServers is the list of the answer.
func (x *exchange) iceServers() (list []iceServer) {
	if err := json.Unmarshal(x.Body.ICEServers, &list); err != nil {
		x.t.Fatalf("%s: iceServers is not a list: %s", x, short(x.Raw))
	}
	return list
}

// issue makes a credential that is good for so many seconds, and gives the entry that has it.
func (t *T) issue(ctx context.Context, ttl int) iceServer {
	list := t.do(ctx, generate("/generate-ice-servers", credentialsBody{TTL: ttl})).want(http.StatusCreated).iceServers()
	i := slices.IndexFunc(list, func(s iceServer) bool { return s.Username != "" })
	if i < 0 {
		t.Fatalf("no entry with a username in %+v", list)
	}
	return list[i]
}

func (t *T) revoke(ctx context.Context, username string) {
	t.do(ctx, generate("/"+username+"/revoke", nil)).want(http.StatusNoContent)
}

// over is the URL of the entry for a transport: udp, tcp or tls.
func (s iceServer) over(transport string) (string, bool) {
	want := map[string][2]string{"udp": {"turn:", "udp"}, "tcp": {"turn:", "tcp"}, "tls": {"turns:", "tcp"}}[transport]
	i := slices.IndexFunc(s.URLs, func(url string) bool {
		return strings.HasPrefix(url, want[0]) && strings.HasSuffix(url, "?transport="+want[1])
	})
	if i < 0 {
		return "", false
	}
	return s.URLs[i], true
}

// relayed is a peer's configuration that leaves it the TURN server alone, and over TCP and TLS takes UDP from it.
func (t *T) relayed(s iceServer, transport string) sfutest.Config {
	url, found := s.over(transport)
	if !found {
		t.Fatalf("no URL for %s in %q", transport, s.URLs)
	}
	cfg := sfutest.Config{
		ICEServers: []sfutest.ICEServer{{URLs: []string{url}, Username: s.Username, Credential: s.Credential}},
		RelayOnly:  true, Gather: true, WithoutUDP: transport != "udp",
	}
	if transport == "tls" {
		cfg.RelayRoots = t.target.TLSRoots
	}
	return cfg
}

// turnClient is a TURN client without a peer around it.
func (t *T) turnClient(s iceServer, transport string) *turn.Client {
	url, found := s.over(transport)
	if !found {
		t.Fatalf("no URL for %s in %q", transport, s.URLs)
	}
	_, rest, _ := strings.Cut(url, ":")
	addr, _, _ := strings.Cut(rest, "?")
	conn := t.turnConn(transport, addr)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: addr, TURNServerAddr: addr, Conn: conn, Username: s.Username, Password: s.Credential, LoggerFactory: quiet,
	})
	t.Must(err)
	t.Must(client.Listen())
	t.Cleanup(func() { client.Close(); _ = conn.Close() })
	return client
}

// turnDialer gives up before the case does, so that it can say what it has waited for.
var turnDialer = &net.Dialer{Timeout: 15 * time.Second}

func (t *T) turnConn(transport, addr string) net.PacketConn {
	switch transport {
	case "udp":
		conn, err := net.ListenPacket("udp4", "0.0.0.0:0")
		t.Must(err)
		return conn
	case "tcp":
		conn, err := turnDialer.Dial("tcp", addr)
		t.Must(err)
		return turn.NewSTUNConn(conn)
	default:
		conn, err := tls.DialWithDialer(turnDialer, "tcp", addr, &tls.Config{RootCAs: t.target.TLSRoots})
		t.Must(err)
		return turn.NewSTUNConn(conn)
	}
}

// allocate must succeed.
func (t *T) allocate(client *turn.Client) net.PacketConn {
	relay, err := client.Allocate()
	t.Must(err)
	t.Cleanup(func() { _ = relay.Close() })
	return relay
}

// refresh sends a Refresh for the client's allocation. An error says how it is refused; silence is a refusal, too.
func (t *T) refresh(client *turn.Client, s iceServer) error {
	answer, err := t.turnRequest(client, s, stun.MethodRefresh)
	if err != nil {
		return err
	}
	if lifetime, err := answer.Get(stun.AttrLifetime); err != nil || len(lifetime) != 4 || binary.BigEndian.Uint32(lifetime) == 0 {
		return fmt.Errorf("no lifetime: %s", answer)
	}
	return nil
}

// turnRequest sends a request with the credential, after the challenge for one, and returns the success that answers it.
func (t *T) turnRequest(client *turn.Client, s iceServer, method stun.Method, attributes ...stun.Setter) (*stun.Message, error) {
	send := func(more ...stun.Setter) (*stun.Message, error) {
		m, err := stun.Build(slices.Concat([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attributes, more)...)
		t.Must(err)
		result, err := client.PerformTransaction(m, client.TURNServerAddr(), false)
		if err != nil {
			return nil, fmt.Errorf("no answer: %w", err)
		}
		return result.Msg, nil
	}
	challenge, err := send()
	if err != nil {
		return nil, err
	}
	var nonce stun.Nonce
	var realm stun.Realm
	if nonce.GetFrom(challenge) != nil || realm.GetFrom(challenge) != nil {
		return nil, fmt.Errorf("no challenge: %s", challenge)
	}
	answer, err := send(stun.NewUsername(s.Username), realm, nonce, stun.NewLongTermIntegrity(s.Username, realm.String(), s.Credential), stun.Fingerprint)
	if err != nil {
		return nil, err
	}
	if answer.Type.Class != stun.ClassSuccessResponse {
		return nil, fmt.Errorf("refused: %s", answer)
	}
	return answer, nil
}

// wantUnauthorized checks that Allocate fails with 401.
func (t *T) wantUnauthorized(what string, s iceServer, transport string) {
	if got := t.unauthorized(s, transport); got != "" {
		t.Errorf("%s over %s: %s, want 401", what, transport, got)
	}
}

// soonUnauthorized is wantUnauthorized for a credential that is over: an emulator has no edges that hear of it later.
func (t *T) soonUnauthorized(ctx context.Context, what string, s iceServer) {
	if t.target.Emulator {
		t.wantUnauthorized(what, s, "udp")
		return
	}
	t.eventually(ctx, what+" does not get 401", func() bool {
		got := t.unauthorized(s, "udp")
		if got != "" {
			t.Logf("%s: %s", what, got)
		}
		return got == ""
	})
}

// unauthorized is what Allocate gives instead of 401; "" for 401.
func (t *T) unauthorized(s iceServer, transport string) string {
	relay, err := t.turnClient(s, transport).Allocate()
	switch {
	case err == nil:
		_ = relay.Close()
	case strings.Contains(err.Error(), "401"):
		return ""
	}
	return fmt.Sprintf("Allocate gives %v, %v", relay, err)
}
