package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	rowTTL     = "decoding_error/400 ttl"
	rowTURNKey = "not_found/404 turn key"
)

func credentialCases() []Case {
	needs := []Need{TURN}
	return []Case{
		{
			ID: "turn/list", Sentence: "generate-ice-servers answers 201 with a list: STUN, then TURN with a credential.",
			Section: "7.3", Mark: Doc, Needs: needs, Operations: []string{"generateIceServers"}, Run: credentialsList,
		},
		{
			ID: "turn/object", Sentence: "generate answers 201 with one object that has every URL.",
			Section: "7.3", Mark: Doc, Needs: needs, Operations: []string{"generateCredentials"}, Run: credentialsObject,
		},
		{
			ID: "turn/unchecked", Sentence: "Content-Type, further fields and customIdentifier make no difference.",
			Section: "7.3", Mark: Seen, Needs: needs, Run: credentialsUnchecked,
		},
		{
			ID: "turn/ttl", Sentence: "A ttl from 1 to 172800 is good; without one, or with another, there is no credential.",
			Section: "6, 7.3, 10 Q44", Mark: Inferred, Needs: needs, Codes: []string{rowTTL, "decoding_error/400"}, Run: credentialsTTL,
		},
		{
			ID: "turn/token", Sentence: "Without the key's own token there is no credential, and none is revoked.",
			Section: "7.3, 9.2", Mark: Inferred, Needs: needs, Codes: []string{"unauthorized/401"}, Run: credentialsToken,
		},
		{
			ID: "turn/key", Sentence: "A key that nobody made is not found.",
			Section: "7.3", Mark: Inferred, Needs: []Need{TURN, SeededApps}, Codes: []string{rowTURNKey}, Run: credentialsKey,
		},
		{
			ID: "turn/any-key", Sentence: "In dev mode a key that nobody made takes any token.",
			Section: "7.3", Mark: Inferred, EmulatorOnly: true, Needs: []Need{TURN, OpenApps}, Run: credentialsAnyKey,
		},
		{
			ID: "turn/made-key", Sentence: "A key of the account API issues at once, and its deletion ends its credentials.",
			Section: "7.3, 8", Mark: Inferred, EmulatorOnly: true, Needs: []Need{TURN, AccountAPI}, Codes: []string{rowTURNKey, "unauthorized/401"},
			Run: credentialsMadeKey,
		},
		{
			ID: "turn/route", Sentence: "Other paths are not found, other methods not allowed.",
			Section: "7.3, 1.14", Mark: Inferred, Needs: needs, Codes: []string{"not_found/404 path", "method_not_allowed/405"}, Run: credentialsRoute,
		},
		{
			ID: "turn/revoke", Sentence: "revoke answers 204 without a body, for a username that is unknown or over as well.",
			Section: "7.3, 10 Q44", Mark: Doc, Needs: needs, Operations: []string{"revokeCredential"}, Run: credentialsRevoke,
		},
	}
}

// checkCredential: both are opaque (contract 7.3); of 64 characters are an emulator's.
func (t *T) checkCredential(s iceServer) {
	if s.Username == "" || s.Credential == "" {
		t.Errorf("no username, or no credential")
	}
	if !t.target.Emulator {
		return
	}
	if len(s.Username) != 64 || len(s.Credential) != 64 {
		t.Errorf("username of %d and credential of %d characters", len(s.Username), len(s.Credential))
	}
}

// turnsPort is that of TURN over TLS. At the service it begins like that of DNS as well (contract 7.3).
const turnsPort = "5349"

// checkURLs checks that there are URLs of each kind, a scheme with a transport, in this order.
func (t *T) checkURLs(urls []string, order ...string) {
	if !slices.Contains(t.target.Has, TURNOverTLS) {
		order = slices.DeleteFunc(order, func(kind string) bool { return kind == "turns tcp" })
	}
	kinds := make([]string, len(urls))
	for i, url := range urls {
		scheme, rest, _ := strings.Cut(url, ":")
		address, transport, _ := strings.Cut(rest, "?transport=")
		kinds[i] = strings.TrimSpace(scheme + " " + transport)
		port := address[strings.LastIndex(address, ":")+1:]
		if t.target.Emulator && strings.HasPrefix(port, "53") && (scheme != "turns" || port != turnsPort) {
			t.Errorf("clients take %s for one of the port 53, and leave it out", url)
		}
	}
	if !t.target.Emulator { // newer and older lists have them in different orders (contract 7.3)
		slices.Sort(kinds)
		slices.Sort(order)
	}
	if got := slices.Compact(kinds); !slices.Equal(got, order) {
		t.Errorf("the URLs %q are of the kinds %q, want %q", urls, got, order)
	}
}

func credentialsList(ctx context.Context, t *T) {
	x := t.do(ctx, generate("/generate-ice-servers", credentialsBody{TTL: 86400})).want(http.StatusCreated).wantFields("iceServers")
	list := x.iceServers()
	if len(list) != 2 || len(list[0].URLs) == 0 || t.target.Emulator && len(list[0].URLs) != 1 || !strings.HasPrefix(list[0].URLs[0], "stun:") || list[0].Username+list[0].Credential != "" {
		t.Fatalf("%s: %+v", x, list)
	}
	t.checkCredential(list[1])
	t.checkURLs(list[0].URLs, "stun")
	t.checkURLs(list[1].URLs, "turn udp", "turn tcp", "turns tcp")
	if second := t.issue(ctx, 86400); second.Username == list[1].Username || second.Credential == list[1].Credential {
		t.Errorf("a second credential is the same")
	}
}

func credentialsObject(ctx context.Context, t *T) {
	x := t.do(ctx, generate("/generate", credentialsBody{TTL: 86400})).want(http.StatusCreated).wantFields("iceServers")
	var object iceServer
	if err := json.Unmarshal(x.Body.ICEServers, &object); err != nil {
		t.Fatalf("%s: iceServers is not an object: %s", x, short(x.Raw))
	}
	t.checkCredential(object)
	t.checkURLs(object.URLs, "stun", "turn udp", "turn tcp", "turns tcp")
	t.allocate(t.turnClient(object, "udp"))
}

func credentialsUnchecked(ctx context.Context, t *T) {
	for _, kind := range []string{"", "text/plain", "application/json"} {
		c := generate("/generate-ice-servers", `{"ttl":86400,"customIdentifier":"room 7","more":[1]}`)
		c.ContentType = &kind
		x := t.do(ctx, c).want(http.StatusCreated)
		if strings.Contains(string(x.Raw), "room 7") {
			t.Errorf("%s: the answer repeats customIdentifier", x)
		}
	}
}

func credentialsTTL(ctx context.Context, t *T) {
	for _, ttl := range []int{1, 86400, 172800} {
		t.do(ctx, generate("/generate-ice-servers", credentialsBody{TTL: ttl})).want(http.StatusCreated)
	}
	for _, path := range []string{"/generate-ice-servers", "/generate"} {
		for body, why := range inOrder(map[string]string{
			`{}`: "no ttl", `{"ttl":null}`: "no ttl", `{"ttl":"86400"}`: "a text", `{"ttl":true}`: "a bool", `{"ttl":[60]}`: "a list",
			`[]`: "no object", `{"ttl":`: "syntax",
		}) {
			c := generate(path, body)
			c.Malformed = why
			t.do(ctx, c).wantError("decoding_error/400")
		}
		for body, why := range inOrder(map[string]string{`{"ttl":0}`: "zero", `{"ttl":-1}`: "negative"}) {
			c := generate(path, body)
			c.Malformed = why
			t.do(ctx, c).wantError(rowTTL)
		}
		for _, body := range []string{`{"ttl":172801}`, `{"ttl":864000}`} {
			c := generate(path, body)
			c.Blind = "the longest ttl is a rule, which can be changed"
			t.do(ctx, c).wantError(rowTTL)
		}
		empty := generate(path, nil)
		empty.Malformed = "no body"
		t.do(ctx, empty).wantError("decoding_error/400")
	}
}

func credentialsToken(ctx context.Context, t *T) {
	none, basic := "", "Basic "+t.target.TURNKeyToken
	for _, path := range []string{"/generate-ice-servers", "/generate", "/" + strings.Repeat("z", 64) + "/revoke"} {
		body := any(credentialsBody{TTL: 60})
		if strings.HasSuffix(path, "/revoke") {
			body = nil
		}
		for _, auth := range []*string{&none, &basic} {
			c := generate(path, body)
			c.Auth = auth
			t.do(ctx, c).wantError("unauthorized/401")
		}
		c := generate(path, body)
		c.Secret = t.target.TURNKeyToken + "0"
		t.do(ctx, c).wantError("unauthorized/401")
	}
	for _, other := range []string{t.target.Secret, t.accountTokenHere()} { // of the app, and of the account
		if other == "" || other == t.target.TURNKeyToken {
			continue
		}
		c := generate("/generate", credentialsBody{TTL: 60})
		c.Secret = other
		t.do(ctx, c).wantError("unauthorized/401")
	}
	syntax := generate("/generate", `{`)
	syntax.Secret, syntax.Malformed = "wrong", "syntax"
	t.do(ctx, syntax).wantError("unauthorized/401")
}

func credentialsKey(ctx context.Context, t *T) {
	for _, c := range []call{
		generate("/generate-ice-servers", credentialsBody{TTL: 60}), generate("/generate", credentialsBody{TTL: 60}), generate("/x/revoke", nil),
	} {
		c.App, c.Secret = strings.Repeat("9", 32), "anything"
		t.do(ctx, c).wantError(rowTURNKey)
	}
}

func credentialsAnyKey(ctx context.Context, t *T) {
	c := generate("/generate-ice-servers", credentialsBody{TTL: 60})
	c.App, c.Secret = strings.Repeat("9", 32), "anything"
	t.do(ctx, c).want(http.StatusCreated)
}

func credentialsMadeKey(ctx context.Context, t *T) {
	const keys = "/calls/turn_keys"
	made := t.account(ctx, accountCall{Method: http.MethodPost, Path: keys, Body: accountName{"conformance"}}).want(http.StatusCreated).item()
	c := generate("/generate-ice-servers", credentialsBody{TTL: 60})
	c.App, c.Secret = made.UID, "wrong"
	t.do(ctx, c).wantError("unauthorized/401")
	c.Secret = made.Key
	server := t.do(ctx, c).want(http.StatusCreated).iceServers()[1]
	t.allocate(t.turnClient(server, "udp"))
	t.account(ctx, accountCall{Method: http.MethodDelete, Path: keys + "/" + made.UID}).want(http.StatusOK)
	t.do(ctx, c).wantError(rowTURNKey)
	t.wantUnauthorized("a credential of a deleted key", server, "udp")
}

func credentialsRoute(ctx context.Context, t *T) {
	for _, path := range []string{"/generate-ice-server", "/generate/", "/a/b/revoke", ""} {
		c := generate(path, credentialsBody{TTL: 60})
		c.Unlisted = true
		t.do(ctx, c).wantError("not_found/404 path")
	}
	for _, path := range []string{"/generate-ice-servers", "/generate", "/a/revoke"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			c := generate(path, nil)
			c.Method, c.Unlisted = method, true
			t.do(ctx, c).wantError("method_not_allowed/405")
		}
	}
}

func credentialsRevoke(ctx context.Context, t *T) {
	s := t.issue(ctx, 60)
	rounds := 2
	if !t.target.Emulator { // what a service answers for a username that is over or unknown is an open question
		rounds = 1
	}
	for range rounds {
		x := t.do(ctx, generate("/"+s.Username+"/revoke", nil)).want(http.StatusNoContent)
		if len(x.Raw) > 0 {
			t.Errorf("%s: a body: %s", x, short(x.Raw))
		}
	}
	if t.target.Emulator {
		t.revoke(ctx, strings.Repeat("z", 64))
	}
	t.soonUnauthorized(ctx, "a revoked credential", s)
}
