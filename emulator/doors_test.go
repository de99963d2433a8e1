package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/internal/porttest"
)

// withDoors is how the emulator stands in for the service's names, on free ports instead of 80 and 443.
func withDoors(c *Config) {
	withTURN(c)
	c.HTTP, c.HTTPS = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
}

// askedFor issues a credential by the call, as a client that knows the API by that host and is led to that root; with the
// id and token of another key, if they are given.
func (r *rig) askedFor(root, host, call string, key ...string) wire.ICEServer {
	r.t.Helper()
	id, token := turnKey, turnToken
	if len(key) == 2 {
		id, token = key[0], key[1]
	}
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", root+"/v1/turn/keys/"+id+"/credentials/"+call, strings.NewReader(`{"ttl":600}`))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		r.t.Fatalf("%s: %d %s %v", call, resp.StatusCode, text, err)
	}
	var out struct{ ICEServers json.RawMessage }
	var list []wire.ICEServer
	if err := json.Unmarshal(text, &out); err != nil {
		r.t.Fatalf("%s: %v", call, err)
	}
	if call == "generate" { // one object (contract 7.3)
		out.ICEServers = slices.Concat([]byte("["), out.ICEServers, []byte("]"))
	}
	if err := json.Unmarshal(out.ICEServers, &list); err != nil {
		r.t.Fatalf("%s: %v", call, err)
	}
	if len(list) == 0 {
		return wire.ICEServer{}
	}
	all := list[len(list)-1]
	if len(list) == 2 {
		all.URLs = slices.Concat(list[0].URLs, all.URLs)
	}
	return all
}

// roots are the API's own port, and a port that HTTP shares with TURN.
func (r *rig) roots() (own, shared string) {
	return strings.TrimSuffix(r.e.BaseURL(), "/v1"), strings.TrimSuffix(r.e.HTTPURLs()[0], "/v1")
}

// ports replaces the numbers by what the service has there.
func (r *rig) ports(urls []string) string {
	udp, _ := r.e.stun.Addrs()
	names := []string{fmt.Sprint(udp.Port()), "3478"}
	if tls := r.e.stun.TLSAddr(); tls.IsValid() {
		names = append(names, fmt.Sprint(tls.Port()), "5349")
	}
	for _, addr := range r.e.doors.http.addrs {
		names = append(names, fmt.Sprint(addr.Port()), "80")
	}
	for _, addr := range r.e.doors.https.addrs {
		names = append(names, fmt.Sprint(addr.Port()), "443")
	}
	return strings.NewReplacer(names...).Replace(strings.Join(urls, "\n"))
}

func TestStandingInServesEveryURLOfTheDocumentation(t *testing.T) {
	r := newRig(t, withDoors, func(c *Config) { c.Mode = session.ModeDev })
	const list = `stun:stun.cloudflare.com:3478
turn:turn.cloudflare.com:3478?transport=udp
turn:turn.cloudflare.com:443?transport=udp
turn:turn.cloudflare.com:3478?transport=tcp
turn:turn.cloudflare.com:80?transport=tcp
turns:turn.cloudflare.com:5349?transport=tcp
turns:turn.cloudflare.com:443?transport=tcp`
	const object = `stun:stun.cloudflare.com:3478
turn:turn.cloudflare.com:3478?transport=udp
turn:turn.cloudflare.com:3478?transport=tcp
turns:turn.cloudflare.com:5349?transport=tcp`
	local := strings.NewReplacer("stun.cloudflare.com", "127.0.0.1", "turn.cloudflare.com", "127.0.0.1")
	own, shared := r.roots()
	for _, tc := range []struct{ root, host, call, want string }{
		{shared, "rtc.live.cloudflare.com", "generate-ice-servers", list},
		{shared, "RTC.live.cloudflare.com.:8443", "generate-ice-servers", list},
		{shared, "rtc.live.cloudflare.com", "generate", object},
		{shared, "localhost", "generate-ice-servers", local.Replace(object)},
		// The name may lead to this port by a rule for it alone, or from outside a container.
		{own, "rtc.live.cloudflare.com", "generate-ice-servers", object},
		{own, "localhost", "generate-ice-servers", local.Replace(object)},
	} {
		if got := r.ports(r.askedFor(tc.root, tc.host, tc.call).URLs); got != tc.want {
			t.Errorf("%s under %s at %s:\n%s", tc.call, tc.host, tc.root, got)
		}
	}
	s := r.askedFor(shared, "rtc.live.cloudflare.com", "generate-ice-servers")
	for _, url := range s.URLs[1:] {
		t.Run(r.ports([]string{url}), func(t *testing.T) {
			part := *r
			part.t = t
			part.relayed(s, local.Replace(url))
		})
	}
}

func TestTheHostOfURLsCanBeSet(t *testing.T) {
	for set, want := range map[string]string{
		"turn.cloudflare.com": "stun:stun.cloudflare.com:3478",
		"Turn.Cloudflare.com": "stun:stun.cloudflare.com:3478",
		"turn.example":        "stun:turn.example:3478",
	} {
		t.Run(set, func(t *testing.T) {
			r := newRig(t, withDoors, func(c *Config) { c.TURNHost = set })
			_, shared := r.roots()
			for _, asked := range []string{"127.0.0.1", "rtc.live.cloudflare.com"} {
				if got := r.ports(r.askedFor(shared, asked, "generate-ice-servers").URLs[:1]); got != want {
					t.Errorf("asked under %s: %s, want %s", asked, got, want)
				}
			}
		})
	}
}

func TestSharedPortsSpeakHTTPToo(t *testing.T) {
	r := newRig(t, withDoors)
	plain := r.e.HTTPURLs()
	if len(plain) != 1 || !strings.HasPrefix(plain[0], "http://127.0.0.1:") || len(r.e.HTTPSURLs()) != 2 {
		t.Fatalf("URLs %v and %v", plain, r.e.HTTPSURLs())
	}
	if _, a := fetch(t, r.client, "POST", plain[0]+"/apps/shop/sessions/new", bearerOK); a.status != 201 {
		t.Errorf("HTTP: %d", a.status)
	}
	conn := dial(t, r.e.doors.http.addrs[0].String())
	mustWrite(t, conn, []byte{tlsHandshake, 3, 1, 0, 1})
	wantEnd(t, conn)
	mustWaitFor(t, "the line about TLS", func() bool { return bytes.Contains(r.log.Bytes(), []byte("HTTPS is at --listen and --https")) })
	for _, alpn := range []string{"", "stun.turn", "stun.nat-discovery", "h2", "http/1.1"} { // RFC 7443, RFC 7301
		var offer []string
		if alpn != "" {
			offer = []string{alpn}
		}
		secure := dialTLS(t, r.e.doors.https.addrs[0].String(), r.e.CA(), offer...)
		if err := secure.Handshake(); err != nil || secure.ConnectionState().NegotiatedProtocol != alpn {
			t.Errorf("ALPN %q: %v, agreed on %q", alpn, err, secure.ConnectionState().NegotiatedProtocol)
		}
	}
}

func TestSharedPortsAreForHTTPAloneWithoutTURN(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"without TURN": {func(c *Config) { c.STUN = STUNOff }, ""},
		"without TURN over TLS": {func(c *Config) { c.TURNTLS = STUNOff },
			"turn:turn.cloudflare.com:3478?transport=udp\nturn:turn.cloudflare.com:443?transport=udp\n" +
				"turn:turn.cloudflare.com:3478?transport=tcp\nturn:turn.cloudflare.com:80?transport=tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withDoors, tc.edit, func(c *Config) { c.TURNHost = "turn.cloudflare.com" })
			_, shared := r.roots()
			listed := slices.DeleteFunc(r.askedFor(shared, "", "generate-ice-servers").URLs, func(u string) bool { return strings.HasPrefix(u, "stun:") })
			if len(listed) == 0 && tc.want != "" || len(listed) > 0 && r.ports(listed) != tc.want {
				t.Errorf("listed:\n%s", strings.Join(listed, "\n"))
			}
			inside := dialTLS(t, r.e.doors.https.addrs[0].String(), r.e.CA())
			if _, err := inside.Write(frame); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, inside); n > 0 {
				t.Errorf("STUN inside TLS was answered: %v", err)
			}
		})
	}
}

// TestOnlyPortsAtTheClientsAddressAreListed: the name that leads a client to 127.0.0.1 does not lead it to [::1].
func TestOnlyPortsAtTheClientsAddressAreListed(t *testing.T) {
	r := newRig(t, withDoors, func(c *Config) { c.HTTPS = onIPv6(t, "0") })
	_, shared := r.roots()
	if got := r.ports(r.askedFor(shared, "rtc.live.cloudflare.com", "generate-ice-servers").URLs); strings.Contains(got, ":443") || !strings.Contains(got, ":80?") {
		t.Errorf("listed:\n%s", got)
	}
}

// TestHTTPSStartsBesideAnotherUserOfItsUDPPort: that may be a server of HTTP/3.
func TestHTTPSStartsBesideAnotherUserOfItsUDPPort(t *testing.T) {
	taken := porttest.ReserveTCP(t).LocalAddr().String()
	_, port, _ := net.SplitHostPort(taken)
	r := newRig(t, withTURN, func(c *Config) {
		c.TURNHost, c.HTTP, c.HTTPS = "turn.cloudflare.com", []string{"127.0.0.1:0"}, []string{taken}
	})
	_, shared := r.roots()
	listed := strings.Join(r.askedFor(shared, "", "generate-ice-servers").URLs, " ")
	if strings.Contains(listed, "turn:turn.cloudflare.com:"+port+"?transport=udp") || !strings.Contains(listed, "turns:turn.cloudflare.com:"+port+"?") {
		t.Errorf("listed %s", listed)
	}
	if !bytes.Contains(r.log.Bytes(), []byte("no TURN over UDP on the port of --https")) {
		t.Error("the log is silent about it")
	}
}
