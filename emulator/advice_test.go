package emulator

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
)

// TestAdviceIsGivenOnceForEachAppAndKey counts what the log says of secrets in the wrong place; the calls go on as ever.
func TestAdviceIsGivenOnceForEachAppAndKey(t *testing.T) {
	const page, looksReal = "secret in a web page", "secret that looks real"
	preflight := []string{"Origin: https://app.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type, Authorization"}
	without := []string{"Origin: https://app.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"}
	long, other := strings.Repeat("0123456789abcdef", 4), strings.Repeat("fedcba9876543210", 4)
	whole, short := "Authorization: Bearer "+long, "Authorization: Bearer "+long[1:]
	const sessions, turn = "/sessions/new", "/credentials/generate-ice-servers"
	for name, c := range map[string]struct {
		method, path string
		header       []string
		status       int
		says, id     string // empty: nothing
	}{
		"preflight of a page that has it":    {"OPTIONS", "/v1/apps/mine" + sessions, preflight, 204, page, "mine"},
		"without /v1":                        {"OPTIONS", "/apps/mine" + sessions, preflight, 204, page, "mine"},
		"of a TURN key":                      {"OPTIONS", "/v1/turn/keys/mine" + turn, preflight, 204, page, "mine"},
		"preflight of a page that has none":  {"OPTIONS", "/v1/apps/mine" + sessions, without, 204, "", ""},
		"of an id that is none":              {"OPTIONS", "/v1/apps/" + strings.Repeat("x", 129) + sessions, preflight, 204, "", ""},
		"of no app":                          {"OPTIONS", "/v1/apps/", preflight, 204, "", ""},
		"an Origin that a backend passes on": {"POST", "/v1/apps/mine" + sessions, []string{"Origin: https://app.example", short}, 201, "", ""},
		"a secret in the place of the app":   {"OPTIONS", "/v1/apps/" + secret + sessions, preflight, 204, page, "***"},
		"the form of a real secret":          {"POST", "/v1/apps/mine" + sessions, []string{whole}, 201, looksReal, "mine"},
		"that is the app's id too":           {"POST", "/v1/apps/" + other + sessions, []string{"Authorization: Bearer " + other}, 201, looksReal, "***"},
		"the form of a real token":           {"POST", "/v1/turn/keys/mine" + turn, []string{whole}, 201, looksReal, "mine"},
		"another form":                       {"POST", "/v1/apps/mine" + sessions, []string{short}, 201, "", ""},
		"of an app that has this one":        {"POST", "/v1/apps/seeded" + sessions, []string{whole}, 201, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode = session.ModeDev; c.Apps["seeded"] = long })
			for range 2 {
				if a := r.do(c.method, c.path, strings.NewReader(body(c.path)), c.header...); a.status != c.status {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
			for _, message := range []string{page, looksReal} {
				line, want := `"msg":"`+message+`"`, 0
				if message == c.says {
					line, want = line+`,"id":"`+c.id+`"`, 1
				}
				if n := bytes.Count(r.log.Bytes(), []byte(line)); n != want {
					t.Errorf("%q is said %d times, want %d:\n%s", message, n, want, r.log.Bytes())
				}
			}
			for _, hidden := range []string{long, other, secret} {
				if bytes.Contains(r.log.Bytes(), []byte(hidden)) {
					t.Errorf("a secret is in the log:\n%s", r.log.Bytes())
				}
			}
		})
	}
}

// body is what the call of a path takes.
func body(path string) string {
	if strings.HasSuffix(path, "generate-ice-servers") {
		return `{"ttl":60}`
	}
	return ""
}

func TestAdviceIsBounded(t *testing.T) {
	r := newRig(t)
	a := newAdvice(r.e.cfg.Logger)
	for i := range 2 * maxAdvised {
		a.once("something", strconv.Itoa(i), "of no matter")
	}
	if len(a.given) != maxAdvised || bytes.Count(r.log.Bytes(), []byte(`"msg":"something"`)) != maxAdvised {
		t.Errorf("%d are remembered", len(a.given))
	}
}
