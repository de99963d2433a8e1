package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// patientAt is one whose URL's name stands for an address.
func patientAt(t *testing.T, root, addr string) *patient {
	t.Helper()
	p, err := newPatient(Config{URL: root, Timeout: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.addrs, p.zone = []netip.Addr{netip.MustParseAddr(addr)}, true
	return p
}

// missed are candidates that nobody answers at, as "udp 192.0.2.7:1473".
func missed(list ...string) (ways []*way) {
	for _, text := range list {
		protocol, addr, _ := strings.Cut(text, " ")
		ways = append(ways, &way{kind: "ice", to: candidate{protocol, netip.MustParseAddrPort(addr)},
			err: fmt.Errorf("wait: %w", context.DeadlineExceeded)})
	}
	return ways
}

func stun(err error) *way { return &way{kind: "stun", err: err} }

func TestCureOfCandidatesThatAreNotReached(t *testing.T) {
	for name, c := range map[string]struct {
		root, addr string
		protocol   string
		ways       []*way
		want       []string
	}{
		"another machine's loopback": {"http://calls.test:1473", "192.0.2.7", "udp", missed("udp 127.0.0.1:1473"),
			[]string{"loopback is this machine here", "--media at auto", "--advertise 192.0.2.7:PORT", `{"advertise":["192.0.2.7:PORT"]}`}},
		"a container's address": {"http://localhost:1473", "127.0.0.1", "udp", missed("udp 172.18.0.2:1473"),
			[]string{"reached at 127.0.0.1, which is not among them", "for UDP", "--advertise 127.0.0.1:PORT"}},
		"a mapped port": {"http://localhost:32768", "127.0.0.1", "udp", missed("udp 127.0.0.1:1473", "udp 172.18.0.2:1473"),
			[]string{"reached at port 32768", "--advertise 127.0.0.1:PORT", "docker port CONTAINER"}},
		"a mapped port over TCP": {"http://localhost:32768", "127.0.0.1", "tcp", missed("tcp 127.0.0.1:1473"),
			[]string{"reached at port 32768", "--advertise 127.0.0.1:32768"}},
		"HTTPS of its own port": {"https://calls.test", "192.0.2.7", "tcp", missed("tcp 192.0.2.7:1473"),
			[]string{"--advertise 192.0.2.7:PORT"}},
		"no UDP at all": {"http://calls.test:1473", "192.0.2.7", "udp", append(missed("udp 192.0.2.7:1473"), stun(errors.New("x"))),
			[]string{"not to STUN either", "firewall or VPN", "without /udp", "--advertise"}},
		"UDP to STUN alone": {"http://calls.test:1473", "192.0.2.7", "udp", append(missed("udp 192.0.2.7:1473"), stun(nil)),
			[]string{"publish the port for UDP", "(-p 1473:1473/udp)", "--advertise"}},
		"no TCP of a container here": {"http://localhost:1599", "127.0.0.1", "tcp", missed("tcp 127.0.0.1:1599"),
			[]string{"publish the port for TCP (-p 127.0.0.1:1599:1473/tcp where callsemu listens on 1473)"}},
		"IPv6": {"http://[fd00::1]:1473", "fd00::1", "tcp", missed("tcp [fd00::2]:1473"),
			[]string{"--advertise [fd00::1]:1473"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := patientAt(t, c.root, c.addr).judgeICE(c.ways, c.protocol)
			for _, part := range c.want {
				if got.Verdict != Failed || !strings.Contains(got.Cure, part) {
					t.Errorf("no %q in %s", part, got)
				}
			}
		})
	}
}

func TestFirefoxIsThoughtOfOnce(t *testing.T) {
	reached := func(list ...string) []*way {
		ways := missed(list...)
		for _, w := range ways {
			w.err = nil
		}
		return ways
	}
	p := patientAt(t, "http://localhost:1473", "127.0.0.1")
	for _, c := range []struct {
		ways     []*way
		udp, tcp bool // whether the line has the note
	}{
		{reached("udp 127.0.0.1:1", "tcp 127.0.0.1:1"), true, false},
		{append(missed("udp 127.0.0.1:1"), reached("tcp 127.0.0.1:1")...), false, true},
		{reached("udp 127.0.0.1:1", "udp 192.0.2.7:1", "tcp 127.0.0.1:1"), false, false},
		{reached("udp 127.0.0.1:1", "tcp 192.0.2.7:1"), false, false},
		{append(missed("udp 192.0.2.7:1"), reached("udp 127.0.0.1:1")...), true, false},
	} {
		for protocol, want := range map[string]bool{"udp": c.udp, "tcp": c.tcp} {
			if got := p.judgeICE(c.ways, protocol); strings.Contains(got.Text, "Firefox") != want {
				t.Errorf("want it %t: %s", want, got)
			}
		}
	}
}

func TestCureOfServersThatDoNotAnswer(t *testing.T) {
	p := patientAt(t, "http://calls.test:1473", "192.0.2.7")
	for _, c := range []struct {
		url  string
		want string
	}{
		{"turn:127.0.0.1:3478?transport=udp", "127.0.0.1 is this machine here, not the one of callsemu; start callsemu with --turn-host calls.test"},
		{"turns:localhost", "localhost is this machine here"},
		{"turn:calls.test:443?transport=udp", "-p 443:443/udp), or let it through the firewall"},
		{"turn:turn.test:80?transport=tcp", "-p 80:80/tcp), or let it through the firewall; if clients reach it by another name, start callsemu with --turn-host"},
	} {
		u, err := parseICEURL(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.judgeTURN(&way{kind: "turn", via: u, unreached: errors.New("x")}); !strings.Contains(got.Cure, c.want) {
			t.Errorf("no %q in %s", c.want, got)
		}
	}
	if got := p.judgeTURN(&way{kind: "turn", err: errNoRelay}); got.Verdict != Failed || !strings.Contains(got.Text, "gives no relay") {
		t.Errorf("got %s", got)
	}
}

func TestURLsOfICEServersAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"stun:stun.cloudflare.com:3478":               "stun stun.cloudflare.com 3478 udp",
		"stun:192.0.2.7":                              "stun 192.0.2.7 3478 udp",
		"turn:turn.cloudflare.com:80?transport=tcp":   "turn turn.cloudflare.com 80 tcp",
		"turn:turn.cloudflare.com":                    "turn turn.cloudflare.com 3478 udp",
		"turn:turn.cloudflare.com?transport=tcp":      "turn turn.cloudflare.com 3478 tcp",
		"turns:turn.cloudflare.com:443?transport=tcp": "turns turn.cloudflare.com 443 tls",
		"turns:[fd00::1]":                             "turns fd00::1 5349 tls",
	} {
		u, err := parseICEURL(text)
		if got := strings.Join([]string{u.scheme, u.host, u.port, u.transport}, " "); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	if u, err := parseICEURL("http://x"); err == nil {
		t.Errorf("http is %v", u)
	}
	for _, text := range []string{"turn:[fd00::1]:3478?transport=udp", "turn:x:80?transport=tcp", "turns:x:443?transport=tcp", "stun:x:3478"} {
		if u, err := parseICEURL(text); err != nil || u.url() != text {
			t.Errorf("%s becomes %s, %v", text, u.url(), err)
		}
	}
}

func TestCandidatesOfAnSDP(t *testing.T) {
	sdp := "v=0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 1473 typ host\r\n" +
		"a=candidate:2 1 TCP 1526726655 fd00::1 1473 typ host tcptype passive\r\na=candidate:3 1 udp 1 some.local 9 typ host\r\na=end-of-candidates\r\n"
	list := candidatesOf(sdp + sdp)
	if want := []candidate{{"udp", netip.MustParseAddrPort("127.0.0.1:1473")}, {"tcp", netip.MustParseAddrPort("[fd00::1]:1473")}}; !slices.Equal(list, want) {
		t.Errorf("got %v", list)
	}
	kept := keepOnly(sdp, func(c candidate) bool { return c.protocol == "tcp" })
	if strings.Contains(kept, " udp ") || !slices.Equal(candidatesOf(kept), list[1:]) || !strings.HasSuffix(kept, "a=end-of-candidates\r\n") {
		t.Errorf("kept %q", kept)
	}
}

func TestOddAnswersAreNoAPI(t *testing.T) {
	p := &patient{url: &url.URL{}}
	for refused, want := range map[*refusal]string{
		{status: 200, kind: "text/html"}:    "not the Calls API",
		{status: 502}:                       "no content type",
		{status: 401, code: "unauthorized"}: "refused, because secrets are checked",
		{status: 410, code: "not_found"}:    "unknown there",
		{status: 429, code: "rate_limited", text: "slow", explain: "wait"}: "429 rate_limited (slow); wait",
	} {
		if got := p.judgeRefusal(refused, "app x", "--app-id", "--app", false); !strings.Contains(got.String(), want) || got.Cure == "" {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

func TestCureOfARelayWithoutMedia(t *testing.T) {
	r := new(patient).judgeTURN(&way{kind: "turn", via: iceURL{host: "127.0.0.1", port: "3478", transport: "udp"}, err: context.DeadlineExceeded})
	if r.Verdict != Failed || !strings.Contains(r.Text, "gives a relay, but no media") || !strings.Contains(r.Cure, "--relay-ip") {
		t.Errorf("%+v", r)
	}
}

func TestCureOfACertificateForAnotherName(t *testing.T) {
	r := new(patient).judgeTURN(&way{kind: "turn", via: iceURL{host: "calls.example", port: "5349", transport: "tls"},
		unreached: x509.HostnameError{Certificate: new(x509.Certificate), Host: "calls.example"}})
	if r.Verdict != Failed || !strings.Contains(r.Cure, "--tls-name calls.example") || !strings.Contains(r.Cure, "--turn-host") {
		t.Errorf("%+v", r)
	}
}
