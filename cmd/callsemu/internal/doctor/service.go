package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// askEmulator repeats what an emulator says about itself.
func askEmulator(ctx context.Context, p *patient) Result {
	var ready struct {
		Ready      bool
		Candidates []struct{ Protocol, Address string }
	}
	status, err := p.get(ctx, "/readyz", &ready)
	if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
		return skip("there is no /readyz; this is the real service, or something before callsemu")
	}
	var state struct{ Mode string }
	status, err = p.get(ctx, "/_emu/state?app="+url.QueryEscape(p.app.id), &state)
	p.zone = err == nil && status == http.StatusOK
	list := make([]string, 0, len(ready.Candidates))
	for _, c := range ready.Candidates {
		list = append(list, c.Protocol+" "+c.Address)
	}
	text := "callsemu in the mode " + state.Mode
	if !p.zone {
		text = "callsemu, whose /_emu/ is off, or not open under this name,"
	}
	text += " offers " + strings.Join(list, ", ")
	if !ready.Ready {
		return failed(text+", but is not ready", "wait for it with callsemu wait; if it stays so, its log says why")
	}
	return okay("%s", text)
}

// askAPI makes a session and offers it a track, which shows the candidates.
func askAPI(ctx context.Context, p *patient) Result {
	id, err := p.newSession(ctx)
	if err != nil {
		return p.judgeRefusal(err, "app "+p.app.id, "--app-id and --app-secret", "--app ID:SECRET", p.app.given)
	}
	p.made = true
	peer, err := sfutest.NewPeer(sfutest.Config{})
	if err != nil {
		return failed(reason(err), "this machine gives no network to a WebRTC client")
	}
	defer func() { _ = peer.Close() }()
	answer, _, err := p.publish(ctx, peer, id, false)
	if err != nil {
		return p.judgeRefusal(err, "app "+p.app.id, "--app-id and --app-secret", "--app ID:SECRET", p.app.given)
	}
	if p.candidates = candidatesOf(answer); len(p.candidates) == 0 {
		return failed("the API answers, but its SDP has no candidate", "look at --media and --advertise of callsemu")
	}
	return okay("app %s makes a session and publishes a track", p.app.id)
}

// judgeRefusal puts an answer that is no success into words: whose it is, by which flags of doctor credentials are given, and by
// which of serve.
func (p *patient) judgeRefusal(err error, whose, flags, seed string, given bool) Result {
	var refused *refusal
	switch {
	case !errors.As(err, &refused):
		return failed("no answer to a call of the API ("+reason(err)+")", "look at the log of callsemu")
	case refused.code == "":
		return failed(fmt.Sprintf("this is not the Calls API: %s", refused), "another program has the port; give the URL that the start "+
			"message of callsemu shows")
	case refused.status == http.StatusUnauthorized && !given:
		return failed(whose+" is refused, because secrets are checked there", "give "+flags+" as the start message of callsemu shows them, or set them with "+seed)
	case refused.status == http.StatusUnauthorized:
		return failed("the secret of "+whose+" is wrong", "give "+flags+" as the start message of callsemu shows them, or set them with "+seed)
	case refused.status == http.StatusNotFound || refused.status == http.StatusGone:
		return failed(whose+" is unknown there", "give "+flags+" as the start message of callsemu shows them, or set them with "+seed)
	}
	return failed(refused.String(), orElse(refused.explain, "look at the log of callsemu"))
}

// credential is one of TURN.
type credential struct{ username, password string }

// iceURL is one URL of iceServers, taken apart.
type iceURL struct {
	scheme    string // stun, turn or turns
	host      string
	port      string
	transport string // udp, tcp or tls
}

// String is for the server's side of a text: HOST:PORT.
func (u iceURL) String() string { return net.JoinHostPort(u.host, u.port) }

// url is the URL as WebRTC wants it.
func (u iceURL) url() string {
	text := u.scheme + ":" + u.String()
	switch {
	case u.scheme == "stun":
		return text
	case u.transport == "udp":
		return text + "?transport=udp"
	}
	return text + "?transport=tcp"
}

// parseICEURL reads what RFC 7064 and 7065 allow.
func parseICEURL(text string) (iceURL, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	rest, query, _ := strings.Cut(rest, "?")
	ports := map[string]string{"stun": "3478", "turn": "3478", "turns": "5349"}
	u := iceURL{scheme: scheme, host: rest, port: ports[scheme], transport: strings.TrimPrefix(query, "transport=")}
	if u.port == "" {
		return u, fmt.Errorf("%q is no URL of STUN or TURN", text)
	}
	if host, port, err := net.SplitHostPort(rest); err == nil {
		u.host, u.port = host, port
	}
	u.host = strings.Trim(u.host, "[]")
	switch {
	case scheme == "turns":
		u.transport = "tls"
	case u.transport == "":
		u.transport = "udp"
	}
	return u, nil
}

// askICEServers gets a credential of TURN, and looks at the URLs that come with it.
func askICEServers(ctx context.Context, p *patient) Result {
	list, err := p.iceServers(ctx)
	var refused *refusal
	if errors.As(err, &refused) && refused.code != "" && !p.key.given {
		return skip("TURN keys are checked there; give --turn-key ID:TOKEN to try STUN and TURN")
	}
	if err != nil {
		return p.judgeRefusal(err, "TURN key "+p.key.id, "--turn-key ID:TOKEN", "--turn-key of callsemu serve", p.key.given)
	}
	var texts, hosts []string
	for _, server := range list {
		for _, text := range server.URLs {
			u, err := parseICEURL(text)
			if err != nil {
				return failed(err.Error(), "this is a mistake of the server")
			}
			p.ice, texts = append(p.ice, u), append(texts, text)
			if !slices.Contains(hosts, u.host) {
				hosts = append(hosts, u.host)
			}
		}
		if server.Username != "" {
			p.iceAuth = credential{server.Username, server.Credential}
		}
	}
	if len(texts) == 0 {
		return skip("the list is empty, as --stun off makes it; start callsemu with --stun 127.0.0.1:3478 for STUN and TURN")
	}
	for _, host := range hosts {
		if _, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			p.ice = slices.DeleteFunc(p.ice, func(u iceURL) bool { return u.host == host })
			return failed("the list names "+host+", which does not resolve here ("+reason(err)+")", p.turnHostCure())
		}
	}
	return okay("the list has %s", strings.Join(texts, ", "))
}

// turnHostCure says how the host in the URLs of STUN and TURN is changed.
func (p *patient) turnHostCure() string {
	return "start callsemu with --turn-host " + p.host + ", or another name or address by which clients reach --stun"
}
