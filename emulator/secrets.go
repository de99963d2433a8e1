package emulator

import (
	"regexp"
	"strings"

	"github.com/gorilla/mux"
)

// icePassword finds what an SDP error may quote of an SDP and must not show.
var icePassword = regexp.MustCompile(`(?i)(ice-pwd:)[A-Za-z0-9+/]+`)

// turnUsername finds usernames of TURN credentials, which stand in the path of a revocation.
var turnUsername = regexp.MustCompile(`g0[0-9a-f]{62}`)

// realToken is the form of the service's secrets: of an app or a TURN key, an account's API token, an account's global key.
var realToken = regexp.MustCompile(`^([0-9a-f]{64}|[A-Za-z0-9_-]{40}|[0-9a-f]{37})$`)

// shortestSecret: a shorter token stands in too many words to be hidden, and protects nothing.
const shortestSecret = 6

// longSecret: a token from this length on is hidden inside of words as well, where a client has glued it to something.
const longSecret = 16

const hidden = "***"

// hideSecrets takes the caller's token, ICE passwords and TURN usernames out of a text that quotes the request.
func hideSecrets(text, token string) string {
	switch {
	case len(token) >= longSecret: // no other word has it in it
		text = strings.ReplaceAll(text, token, hidden)
	case len(token) >= shortestSecret:
		text = hideWord(text, token)
	}
	text = turnUsername.ReplaceAllString(text, hidden)
	return icePassword.ReplaceAllString(text, "${1}"+hidden)
}

// hideWord hides a word wherever it is whole: of my-app-1 nothing is hidden for the sake of my-app.
func hideWord(text, word string) string {
	var out strings.Builder
	shown := 0
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			out.WriteString(text[shown:])
			return out.String()
		}
		begin, end := at+i, at+i+len(word)
		if begin > 0 && joined(text[begin-1], text[begin]) || end < len(text) && joined(text[end-1], text[end]) {
			at = begin + 1
			continue
		}
		out.WriteString(text[shown:begin] + hidden)
		shown, at = end, end
	}
}

// joined says whether two neighbours belong to one word.
func joined(a, b byte) bool { return inWord(a) && inWord(b) }

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c >= 0x80
}

// words are what can be a secret of an app, a key or an account in a path.
var words = regexp.MustCompile(`[^/?&=\s"',;]+`)

// hide takes out of a text what no log line and no header may have: what hideSecrets does, and any secret that somebody else has.
func (c *call) hide(text string) string {
	return words.ReplaceAllStringFunc(hideSecrets(text, c.secret()), func(word string) string {
		for _, w := range []string{word, strings.Trim(word, ":.()[]")} { // with what a sentence puts beside it, or without
			if len(w) >= shortestSecret && !pathWords[w] && c.front.accounts.IsSecret(w) {
				return strings.Replace(word, w, hidden, 1)
			}
		}
		return word
	})
}

// secret is what to hide of the caller's token: nothing where it is a word of the API's paths, or the id that the path names, which
// is often so in development and protects nothing. An id that is the secret of something, or looks so, is hidden all the same.
func (c *call) secret() string {
	if pathWords[c.token] || c.names(c.token) && !c.front.accounts.IsSecret(c.token) && !realToken.MatchString(c.token) {
		return ""
	}
	return c.token
}

// names says whether a word is the id of the app, the TURN key or the account in the path.
func (c *call) names(word string) bool {
	vars := mux.Vars(c.request)
	return word != "" && (word == vars["appId"] || word == vars["keyId"] || word == vars["accountId"])
}

// pathWords are the parts of the API's paths that are no variables.
var pathWords = func() map[string]bool {
	list := append([]string{keysPrefix, accountsBase}, prefixes...)
	for _, r := range routes(nil) {
		list = append(list, r.path)
	}
	for _, r := range new(credentialAPI).routes() {
		list = append(list, r.path)
	}
	for _, name := range accountPaths {
		list = append(list, name)
	}
	found := map[string]bool{}
	for _, part := range strings.Split(strings.Join(list, "/"), "/") {
		found[part] = !strings.HasPrefix(part, "{")
	}
	return found
}()
