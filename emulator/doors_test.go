package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
)

// withDoors is how the emulator stands in for the service's names, on free ports instead of 80 and 443.
func withDoors(c *Config) {
	withTURN(c)
	c.HTTP, c.HTTPS = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
}

// askedFor issues a credential by the call, as a client that knows the API by that host.
func (r *rig) askedFor(host, call string) wire.ICEServer {
	r.t.Helper()
	a := r.do("POST", keyPath+call, strings.NewReader(`{"ttl":600}`), asKey, "Host: "+host)
	var out struct{ ICEServers json.RawMessage }
	var list []wire.ICEServer
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 201 {
		r.t.Fatalf("%s: %d %s", call, a.status, a.body)
	}
	if call == "generate" { // one object (contract 7.3)
		out.ICEServers = slices.Concat([]byte("["), out.ICEServers, []byte("]"))
	}
	if err := json.Unmarshal(out.ICEServers, &list); err != nil {
		r.t.Fatalf("%s: %v", call, err)
	}
	all := list[len(list)-1]
	if len(list) == 2 {
		all.URLs = slices.Concat(list[0].URLs, all.URLs)
	}
	return all
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
	for _, host := range []string{"rtc.live.cloudflare.com", "RTC.live.cloudflare.com.:8443"} {
		if got := r.ports(r.askedFor(host, "generate-ice-servers").URLs); got != list {
			t.Errorf("list under %s:\n%s", host, got)
		}
		if got := r.ports(r.askedFor(host, "generate").URLs); got != object {
			t.Errorf("object under %s:\n%s", host, got)
		}
	}
	own := strings.NewReplacer("stun.cloudflare.com", "127.0.0.1", "turn.cloudflare.com", "127.0.0.1")
	if got := r.ports(r.askedFor("localhost", "generate-ice-servers").URLs); got != own.Replace(object) {
		t.Errorf("list under localhost:\n%s", got)
	}
	s := r.askedFor("rtc.live.cloudflare.com", "generate-ice-servers")
	for _, url := range s.URLs[1:] {
		t.Run(r.ports([]string{url}), func(t *testing.T) {
			part := *r
			part.t = t
			part.relayed(s, own.Replace(url))
		})
	}
}

func TestTheHostOfURLsCanBeSet(t *testing.T) {
	for set, want := range map[string]string{
		"turn.cloudflare.com": "stun:stun.cloudflare.com:3478",
		"turn.example":        "stun:turn.example:3478",
	} {
		r := newRig(t, withTURN, func(c *Config) { c.TURNHost = set })
		for _, asked := range []string{"127.0.0.1", "rtc.live.cloudflare.com"} {
			if got := r.ports(r.askedFor(asked, "generate-ice-servers").URLs[:1]); got != want {
				t.Errorf("%s is set, asked under %s: %s, want %s", set, asked, got, want)
			}
		}
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
			listed := r.e.TURNURLs()
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

// TestHTTPSStartsBesideAnotherUserOfItsUDPPort: that may be a server of HTTP/3.
func TestHTTPSStartsBesideAnotherUserOfItsUDPPort(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	r := newRig(t, withTURN, func(c *Config) { c.TURNHost, c.HTTPS = "turn.cloudflare.com", []string{socket.LocalAddr().String()} })
	_, port, _ := net.SplitHostPort(socket.LocalAddr().String())
	listed := strings.Join(r.e.TURNURLs(), " ")
	if strings.Contains(listed, "turn:turn.cloudflare.com:"+port+"?transport=udp") || !strings.Contains(listed, "turns:turn.cloudflare.com:"+port+"?") {
		t.Errorf("listed %s", listed)
	}
	if !bytes.Contains(r.log.Bytes(), []byte("no TURN over UDP on the port of --https")) {
		t.Error("the log is silent about it")
	}
}
