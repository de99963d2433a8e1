package emulator

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// TestNoSecretIsInTheLogOfAWholeRun does everything that a secret takes part in, rightly and wrongly, at the finest log
// level, and looks for each of them in what was logged.
func TestNoSecretIsInTheLogOfAWholeRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const wrongSecret, wrongToken = "canary-wrong-secret", "canary-wrong-token"
	r := newRig(t, withDoors, func(c *Config) {
		c.Mode = session.ModeDev
		c.Accounts = map[string]string{"first": "canary-account-token"}
		c.Apps = map[string]string{"shop": "canary-app-secret"}
		c.TURNKeys = map[string]string{"relay": "canary-turn-token"}
	})
	secrets := []string{"canary-app-secret", "canary-turn-token", "canary-account-token", wrongSecret, wrongToken, "canary-any-token", "canary-foreign-username"}
	post := func(path, token, body string) answer {
		t.Helper()
		a := r.do("POST", path, strings.NewReader(body), "Authorization: Bearer "+token)
		for _, found := range regexp.MustCompile(`ice-pwd:([^\\]+)`).FindAllStringSubmatch(body+a.body, -1) {
			secrets = append(secrets, found[1])
		}
		return a
	}
	server := func(ttl string) wire.ICEServer {
		t.Helper()
		a := post("/v1/turn/keys/relay/credentials/generate", "canary-turn-token", `{"ttl":`+ttl+`}`)
		var out wire.CredentialsResponse
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		secrets = append(secrets, out.ICEServers.Username, out.ICEServers.Credential)
		return out.ICEServers
	}

	// Refusals of every kind, with the secret where it does not belong as well.
	post("/v1/apps/shop/sessions/new", wrongSecret, "")
	post("/v1/apps/other/sessions/new", "canary-any-token", "")
	post("/v1/apps/shop/"+"canary-app-secret", "canary-app-secret", "")
	post("/v1/apps/shop/sessions/"+"canary-app-secret"+"/tracks/new", "canary-app-secret",
		`{"tracks":[{"location":"remote","sessionId":"x","trackName":"canary-app-secret"}]}`)
	post("/v1/turn/keys/relay/credentials/generate", wrongToken, `{"ttl":1}`)
	post("/v1/turn/keys/relay/credentials/generate", "canary-turn-token", `{"ttl":"canary-turn-token"}`)
	post("/v1/turn/keys/relay/credentials/"+server("60").Username+"/revoke", wrongToken, "")
	post("/v1/turn/keys/relay/credentials/canary-foreign-username/revoke", "canary-turn-token", "")

	// Secrets of others in the place of an id, and in paths that are none.
	for _, secret := range []string{"canary-app-secret", "canary-turn-token", "canary-account-token"} {
		if a := post("/v1/apps/"+secret+"/sessions/new", "shop", ""); a.status != 404 {
			t.Errorf("a secret is taken for an app: %d %s", a.status, a.body)
		}
		post("/v1/turn/keys/"+secret+"/credentials/generate", "relay", `{"ttl":1}`)
		post("/"+secret, secret, "")
		post("/v1/app/"+secret, "x", "")
	}
	post("/v1/canary-any-token/", "canary-any-token", "") // nobody's, and nowhere is it asked for
	for _, secret := range []string{"canary-app-secret", "canary-turn-token", "canary-account-token"} {
		post("/client/v4/accounts/first/calls/apps/"+secret, "first", "")
		post("/client/v4/accounts/"+secret+"/calls/apps", "first", "")
	}
	// What the account API makes, and a wrong token of it.
	for _, kind := range []string{"apps", "turn_keys"} {
		a := post("/client/v4/accounts/first/calls/"+kind, "canary-account-token", `{"name":"made"}`)
		found := regexp.MustCompile(`"(?:secret|key)":"([^"]+)"`).FindStringSubmatch(a.body)
		if a.status >= 300 || len(found) != 2 {
			t.Fatalf("%s: %d %s", kind, a.status, a.body)
		}
		secrets = append(secrets, found[1])
		post("/v1/apps/"+found[1]+"/sessions/new", "made", "")
		post("/client/v4/accounts/first/calls/"+kind, "canary-wrong-account", "")
	}
	secrets = append(secrets, "canary-wrong-account")

	// Media through TURN over UDP, TCP and TLS, there and on the ports of HTTP, published by an offer with ICE passwords.
	_, shared := r.roots()
	urls := r.askedFor(shared, "rtc.live.cloudflare.com", "generate-ice-servers", "relay", "canary-turn-token").URLs
	for _, url := range urls[1:] {
		s := server("60")
		relay := sfutest.ICEServer{URLs: []string{strings.Replace(url, "turn.cloudflare.com", "127.0.0.1", 1)}, Username: s.Username, Credential: s.Credential}
		peer := publishRelayed(ctx, t, r.withRoots(sfutest.Config{Gather: true, RelayOnly: true, ICEServers: []sfutest.ICEServer{relay}}), post)
		if a := post("/v1/turn/keys/relay/credentials/"+s.Username+"/revoke", "canary-turn-token", ""); a.status != 204 {
			t.Errorf("revoke: %d", a.status)
		}
		if err := peer.Close(); err != nil {
			t.Error(err)
		}
		r.denied(ctx, t, relay)                                                                                                     // revoked
		r.denied(ctx, t, sfutest.ICEServer{URLs: relay.URLs, Username: server("60").Username, Credential: "canary-wrong-password"}) // another's
		r.denied(ctx, t, sfutest.ICEServer{URLs: relay.URLs, Username: "canary-wrong-user", Credential: "canary-wrong-password"})   // nobody's
	}
	secrets = append(secrets, "canary-wrong-password", "canary-wrong-user")
	r.zone("GET", "state", "", http.StatusOK, nil)
	r.zone("POST", "reset", "", http.StatusOK, nil)
	if err := r.e.Close(); err != nil {
		t.Error(err)
	}

	text := string(r.log.Bytes())
	for _, event := range []string{`"msg":"api"`, `"msg":"turn refused"`, `"msg":"turn allocation ended"`} {
		if !strings.Contains(text, event) {
			t.Errorf("the log has no %s: not everything was tried", event)
		}
	}
	if len(secrets) < 20 {
		t.Errorf("only %d secrets", len(secrets))
	}
	for _, secret := range secrets {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%q is in the log: ...%s...", secret, text[max(i-200, 0):min(i+100, len(text))])
		}
	}
}

// publishRelayed publishes a track through the relay.
func publishRelayed(ctx context.Context, t *testing.T, cfg sfutest.Config,
	post func(path, token, body string) answer) *sfutest.Peer {
	t.Helper()
	peer, err := sfutest.NewPeer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	if _, err := peer.Publish(sfutest.Track{Codec: sfutest.Opus}); err != nil {
		t.Fatal(err)
	}
	offer, err := peer.Offer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.NewSessionRequest{SessionDescription: &wire.SessionDescription{Type: "offer", SDP: offer}})
	if err != nil {
		t.Fatal(err)
	}
	a := post("/v1/apps/shop/sessions/new", "canary-app-secret", string(body))
	var out wire.NewSessionResponse
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || out.SessionDescription == nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := peer.SetAnswer(out.SessionDescription.SDP); err != nil {
		t.Fatal(err)
	}
	if err := peer.WaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
	return peer
}

// denied gathers through a relay that gives no candidate.
func (r *rig) denied(ctx context.Context, t *testing.T, relay sfutest.ICEServer) {
	t.Helper()
	peer, err := sfutest.NewPeer(r.withRoots(sfutest.Config{Gather: true, RelayOnly: true, ICEServers: []sfutest.ICEServer{relay}}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	if _, err := peer.Publish(sfutest.Track{Codec: sfutest.Opus}); err != nil {
		t.Fatal(err)
	}
	offer, err := peer.Offer(ctx)
	if err != nil || strings.Contains(offer, "a=candidate") {
		t.Errorf("gathered %v\n%s", err, offer)
	}
}
