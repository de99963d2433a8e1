package adapter

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/callsemu/callsemu/internal/porttest"
)

// nameServer answers every question for an IPv4 address with the next of the answers, the last one for ever.
func nameServer(t *testing.T, answers ...string) (*net.Resolver, *atomic.Int32) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, done := &atomic.Int32{}, make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(dnsAnswer(b[:n], func() netip.Addr {
				i := min(int(asked.Add(1)), len(answers))
				return netip.MustParseAddr(answers[i-1])
			}), from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}
	return &net.Resolver{PreferGo: true, Dial: dial}, asked
}

// dnsAnswer is the question again (RFC 1035 section 4.1), with an A record behind it where one was asked for.
func dnsAnswer(question []byte, next func() netip.Addr) []byte {
	end := 12
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5
	answer := slices.Clone(question[:end])
	answer[2], answer[3] = 0x81, 0x80
	clear(answer[6:12])
	if binary.BigEndian.Uint16(question[end-4:]) != 1 {
		return answer
	}
	answer[7] = 1
	answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(answer, next().AsSlice()...)
}

// accepting is a WebSocket endpoint that keeps its sockets open until they end.
func accepting(t *testing.T) (url string, seen <-chan *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Clone(context.Background())
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_, _, _ = conn.Read(r.Context())
		_ = conn.CloseNow()
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http"), requests
}

func port(url string) string { return url[strings.LastIndex(url, ":"):] }

func dialFor(t *testing.T, d *Dialer, endpoint string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s, err := d.dial(ctx, endpoint)
	if err == nil {
		s.close(websocket.StatusNormalClosure, "")
	}
	return err
}

func TestTheHandshakeCarriesNothingElse(t *testing.T) {
	url, seen := accepting(t)
	if err := dialFor(t, NewDialer(DialerConfig{Policy: PolicyLocal}), url+"/in/put?token=a%20b&x=1"); err != nil {
		t.Fatal(err)
	}
	r := <-seen
	if r.RequestURI != "/in/put?token=a%20b&x=1" {
		t.Errorf("asked for %s", r.RequestURI)
	}
	usual := []string{"Connection", "Upgrade", "Sec-Websocket-Version", "Sec-Websocket-Key", "User-Agent"}
	for name := range r.Header {
		if !slices.Contains(usual, name) {
			t.Errorf("it sends the header %s", name)
		}
	}
}

func TestRealModeRefusesWhatIsNear(t *testing.T) {
	url, seen := accepting(t)
	resolver, _ := nameServer(t, "192.168.7.7")
	d := NewDialer(DialerConfig{Resolver: resolver})
	for endpoint, want := range map[string]error{
		url:                             ErrLocalhost,
		"ws://localhost" + port(url):    ErrLocalhost,
		"ws://a.localhost" + port(url):  ErrLocalhost,
		"ws://[::1]" + port(url):        ErrLocalhost,
		"ws://0.0.0.0" + port(url):      ErrLocalhost,
		"ws://private.example":          ErrForbidden,
		"ws://10.1.2.3":                 ErrForbidden,
		"ws://[fd00::1]":                ErrForbidden,
		"ws://[::ffff:127.0.0.1]:1/":    ErrLocalhost,
		"ws://[64:ff9b::7f00:1]:1/":     ErrLocalhost,
		"wss://[::ffff:192.168.0.1]:1/": ErrForbidden,
	} {
		if err := dialFor(t, d, endpoint); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", endpoint, err, want)
		}
	}
	if len(seen) > 0 {
		t.Error("the endpoint was asked all the same")
	}
}

// TestMetadataIsNeverDialled tries every disguise of an address; a resolver that reads numbers like inet_aton, as those of C
// libraries do, stands behind the odd ones.
func TestMetadataIsNeverDialled(t *testing.T) {
	resolver, _ := nameServer(t, "169.254.169.254")
	for _, policy := range []Policy{PolicyReal, PolicyLocal} {
		d := NewDialer(DialerConfig{Policy: policy, Resolver: resolver})
		for _, host := range []string{
			"169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "[fe80::1]", "[::169.254.169.254]",
			"[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "metadata.google.internal", "innocent.example",
			"0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "169.254.169.254.nip.example", "100.100.100.200", "192.0.0.192",
		} {
			if err := dialFor(t, d, "ws://"+host+"/latest/meta-data/"); !errors.Is(err, ErrForbidden) {
				t.Errorf("policy %d, %s: %v", policy, host, err)
			}
		}
		// Go takes these for neither addresses nor names; were it otherwise, the address would be judged.
		for _, host := range []string{"2852039166", "0251.0376.0251.0376", "169.254.43518", "169.16689662"} {
			if err := dialFor(t, d, "ws://"+host+"/latest/meta-data/"); !errors.Is(err, ErrForbidden) && !errors.Is(err, ErrHandshake) {
				t.Errorf("policy %d, %s: %v", policy, host, err)
			}
		}
	}
}

func TestANameThatChangesItsMindIsJudgedEachTime(t *testing.T) {
	url, seen := accepting(t)
	resolver, asked := nameServer(t, "127.0.0.1", "169.254.169.254")
	d := NewDialer(DialerConfig{Policy: PolicyLocal, Resolver: resolver})
	endpoint := "ws://rebinding.example" + port(url) + "/"
	if err := dialFor(t, d, endpoint); err != nil {
		t.Fatal(err)
	}
	<-seen
	if err := dialFor(t, d, endpoint); !errors.Is(err, ErrForbidden) {
		t.Errorf("the second time: %v", err)
	}
	if asked.Load() != 2 || len(seen) > 0 {
		t.Errorf("asked %d times, dialled %d times more", asked.Load(), len(seen))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	url, seen := accepting(t)
	server := httptest.NewServer(http.RedirectHandler(url, http.StatusFound))
	defer server.Close()
	err := dialFor(t, NewDialer(DialerConfig{Policy: PolicyLocal}), "ws"+strings.TrimPrefix(server.URL, "http"))
	if !errors.Is(err, ErrHandshake) || !strings.Contains(err.Error(), "redirects (status 302)") {
		t.Errorf("%v", err)
	}
	if len(seen) > 0 {
		t.Error("the redirect was followed")
	}
}

func TestWhatIsNoEndpointFailsTheHandshake(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure, _ := accepting(t) // speaks no TLS
	resolver, _ := nameServer(t, "127.0.0.1")
	d := NewDialer(DialerConfig{Policy: PolicyLocal, Resolver: resolver})
	for _, endpoint := range []string{
		"ws" + strings.TrimPrefix(plain.URL, "http") + "/?token=canary",
		"ws://" + porttest.Reserve(t) + "/?token=canary",
		"wss" + strings.TrimPrefix(secure, "ws") + "/?token=canary",
		"ws://127.0.0.1:99999/?token=canary",
		"ws://bad host/?token=canary",
	} {
		err := dialFor(t, d, endpoint)
		if !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func TestSecureEndpointsAreDialled(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = conn.Read(r.Context())
			_ = conn.CloseNow()
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the refused certificate
	server.StartTLS()
	defer server.Close()
	endpoint := "wss" + strings.TrimPrefix(server.URL, "https")
	if err := dialFor(t, NewDialer(DialerConfig{Policy: PolicyLocal}), endpoint); !errors.Is(err, ErrHandshake) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if err := dialFor(t, NewDialer(DialerConfig{Policy: PolicyLocal, RootCAs: roots}), endpoint); err != nil {
		t.Error(err)
	}
}

func TestTokensAreMasked(t *testing.T) {
	for endpoint, want := range map[string]string{
		"wss://host.example:8443/a/b?token=secret&x=1": "wss://host.example:8443/a/b?***",
		"ws://host/": "ws://host/",
		"wss://host/rooms/0123456789abcdefghij/in": "wss://host/rooms/***/in",
		"ws://user:secret@host/?a#secret":          "ws://host/?***",
		"ws://bad host/?secret":                    "(not a URL)",
	} {
		if got := Mask(endpoint); got != want {
			t.Errorf("%s is shown as %s, want %s", endpoint, got, want)
		}
	}
}

// TestAnEndpointThatNeverReadsIsCutOff: it answers no close frame, and takes none where its buffers are full.
func TestAnEndpointThatNeverReadsIsCutOff(t *testing.T) {
	hijacked := make(chan net.Conn, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Sec-WebSocket-Accept", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			hijacked <- conn
		}
	}))
	defer server.Close()
	s, err := NewDialer(DialerConfig{Policy: PolicyLocal}).dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"))
	if err != nil {
		t.Fatal(err)
	}
	conn := <-hijacked
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for err == nil { // until nothing more fits
		err = s.send(ctx, make([]byte, 1<<20))
	}
	begun := time.Now()
	s.close(websocket.StatusNormalClosure, "")
	if took := time.Since(begun); took > 4*time.Second { // the library's own patience is five
		t.Errorf("close took %v", took)
	}
}
