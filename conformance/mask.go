package conformance

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

// shortestSecret bounds what is looked for everywhere. A shorter one is masked where it is known by its place alone: in a header, or
// in a field of that name.
const shortestSecret = 6

var (
	// secretFields are the members of JSON bodies that hold a secret: of an app, of a TURN key, of TURN credentials.
	secretFields = regexp.MustCompile(`"(secret|key|credential|username)"\s*:\s*"((?:[^"\\]|\\.)*)"`)
	// secretParts are what is known by its form: ICE passwords, and tokens in the URLs of endpoints.
	secretParts = regexp.MustCompile(`(ice-pwd:|[?&]token=)[^\s"'&\\]+`)
)

// mask knows the secrets of one case.
type mask struct{ known []string } // the longest first

// learn makes the mask hide each of these wherever it stands.
func (m *mask) learn(secrets ...string) {
	for _, s := range secrets {
		quoted, err := json.Marshal(s)
		if err != nil {
			continue // not so for a string
		}
		for _, form := range []string{s, string(quoted[1 : len(quoted)-1])} {
			if len(form) >= shortestSecret && !slices.Contains(m.known, form) {
				m.known = append(m.known, form)
			}
		}
	}
	slices.SortStableFunc(m.known, func(a, b string) int { return len(b) - len(a) })
}

// learnFrom learns what an answer gives away.
func (m *mask) learnFrom(body []byte) {
	for _, found := range secretFields.FindAllSubmatch(body, -1) {
		var value string
		if json.Unmarshal([]byte(`"`+string(found[2])+`"`), &value) == nil {
			m.learn(value)
		}
	}
}

// text is s without secrets.
func (m *mask) text(s string) string {
	for _, secret := range m.known {
		s = strings.ReplaceAll(s, secret, masked)
	}
	s = secretFields.ReplaceAllString(s, `"$1":"`+masked+`"`)
	return secretParts.ReplaceAllString(s, "${1}"+masked)
}

// header is a copy without secrets: of the credentials only the scheme stays.
func (m *mask) header(header http.Header) http.Header {
	clean := http.Header{}
	for name, values := range header {
		for _, value := range values {
			switch name {
			case "Authorization":
				if scheme, token, found := strings.Cut(value, " "); found && token != "" {
					value = scheme + " " + masked
				} else if !strings.EqualFold(scheme, "bearer") {
					value = masked
				}
			case "X-Auth-Key", "Cookie", "Set-Cookie":
				value = masked
			default:
				value = m.text(value)
			}
			clean[name] = append(clean[name], value)
		}
	}
	return clean
}
