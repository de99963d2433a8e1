package emulator

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
)

func TestTokensAreHiddenAsWholeWords(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct{ token, text, want string }{
		{"my-app", "app my-app-1: my-app", "app my-app-1: ***"},
		{"my-app", `"my-app" (my-app), not-my-app, my-app_`, `"***" (***), not-my-app, my-app_`},
		{"my-app", "my-appmy-app/my-app/my-app", "my-appmy-app/***/***"},
		{"words=", "words=words=x", "******x"},
		{"secret", "täsecret secretä", "täsecret secretä"},
		{long, "/apps/my-app" + long + "/", "/apps/my-app***/"},
		{"secret-of-sixteen", "/apps/shopsecret-of-sixteen/x_secret-of-sixteen", "/apps/shop***/x_***"},
	} {
		if got := hideSecrets(c.text, c.token); got != c.want {
			t.Errorf("%s: got %q, want %q", c.token, got, c.want)
		}
	}
}

// TestWhatIsNoSecretIsShown calls with tokens that are the id of the path, part of it, or a word of every path.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	long := strings.Repeat("fedcba9876543210", 4)
	for name, c := range map[string]struct{ method, path, token, logged, says string }{
		"the app's own id":            {"GET", "/v1/apps/my-app/sessions/none", "my-app", "", "app my-app "},
		"a part of it":                {"GET", "/v1/apps/my-app-1/sessions/none", "my-app", "", "app my-app-1 "},
		"a word of the path":          {"POST", "/v1/apps/my-app/sessions/new", "sessions", "", ""},
		"another path's word":         {"GET", "/v1/apps/my-app/tracks", "credentials", "", ""},
		"the key's own id":            {"POST", "/v1/turn/keys/my-key/credentials/generate", "my-key", "", ""},
		"the account's own id":        {"GET", "/client/v4/accounts/my-account/calls/apps/none", "my-account", "", "account my-account "},
		"a seeded id that is its own": {"GET", "/v1/apps/same-word/sessions/none", "same-word", "", "app same-word "},

		"a token where none belongs":     {"GET", "/v1/apps/my-app/sessions/my-token", "my-token", "/v1/apps/my-app/sessions/***", `session "***"`},
		"a seeded secret for an app":     {"GET", "/v1/apps/open-sesame/sessions/none", "open-sesame", "/v1/apps/***/sessions/none", "a secret where the app's id belongs"},
		"with another token":             {"GET", "/v1/apps/open-sesame/sessions/none", "my-token", "/v1/apps/***/sessions/none", "a secret where the app's id belongs"},
		"for an account":                 {"GET", "/client/v4/accounts/open-sesame/calls/apps/none", "no-token", "/client/v4/accounts/***/calls/apps/none", "account *** "},
		"for an account that is checked": {"GET", "/client/v4/accounts/canary-token/calls/apps/none", "canary-token", "/client/v4/accounts/***/calls/apps/none", "***"},
		"the form of a real one":         {"GET", "/v1/apps/" + long + "/sessions/none", long, "/v1/apps/***/sessions/none", "app *** "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.Mode = session.ModeDev
				c.Apps["same-word"] = "same-word"
				c.Accounts = map[string]string{"first": "canary-token"}
			})
			a := r.do(c.method, c.path, strings.NewReader(`{"ttl":60}`), "Authorization: Bearer "+c.token)
			want := c.logged
			if want == "" {
				want = c.path
			}
			mustWaitFor(t, "a line", func() bool { return len(r.lines()) == 1 })
			if got := r.lines()[0]["path"]; got != want {
				t.Errorf("logged as %q, want %q", got, want)
			}
			if why := a.header.Get(explainHeader); !strings.Contains(why, c.says) {
				t.Errorf("explained by %q, want %q in it", why, c.says)
			}
			if bytes.Contains(r.log.Bytes(), []byte(secret)) || c.logged != "" && bytes.Contains(r.log.Bytes(), []byte(c.token)) {
				t.Errorf("a secret is in the log:\n%s", r.log.Bytes())
			}
		})
	}
}

func TestASecretBesideAColonIsHidden(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Accounts = map[string]string{"first": "canary-token"} })
	r.do("GET", "/client/v4/accounts/"+secret+"/calls/apps", nil, "Authorization: Bearer wrong-token")
	mustWaitFor(t, "a line", func() bool { return len(r.lines()) == 1 })
	line, err := json.Marshal(r.lines()[0])
	if err != nil || bytes.Contains(line, []byte(secret)) || !bytes.Contains(line, []byte("account ***: ")) {
		t.Errorf("%s %v", line, err)
	}
}
