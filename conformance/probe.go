package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Probe finds out what the target is: an emulator or not, in strict mode or not, open to unknown apps or not, with a clock to move
// or not, with media over TCP or not, whether its TURN key issues credentials, whether its account API can be used, and whether
// adapters find an endpoint.
// It makes one session, one TURN credential that it revokes, and one app with a session in an emulator's dev mode.
func Probe(ctx context.Context, target Target) (Target, error) {
	root := target.root()
	stranger := root + "/v1/apps/" + strings.Repeat("7", 32) + "/sessions/new"
	status, _, err := ask(ctx, target, http.MethodPost, stranger)
	switch {
	case err != nil:
		return target, unreached(err)
	case status == http.StatusCreated:
		target.Has = append(target.Has, OpenApps)
	case status == http.StatusNotFound:
		target.Has = append(target.Has, SeededApps)
	}
	onThisMachine := strings.Contains(root, "//127.0.0.1:") || strings.Contains(root, "//localhost:")
	if target.Endpoint.URL != "" || onThisMachine && slices.Contains(target.Has, OpenApps) {
		target.Has = append(target.Has, Endpoints)
	}
	if target, err = probeKind(ctx, target); err != nil {
		return target, err
	}
	if err := probeApp(ctx, target); err != nil {
		return target, err
	}
	if target, err = probeTURN(ctx, target); err != nil {
		return target, err
	}
	return probeAccount(ctx, target)
}

// probeKind finds out whether the target is an emulator, and what that can do.
func probeKind(ctx context.Context, target Target) (Target, error) {
	root := target.root()
	status, body, err := ask(ctx, target, http.MethodGet, root+"/readyz")
	if err != nil {
		return target, err
	}
	var readiness struct {
		Mode       string
		Candidates []struct{ Protocol string }
	}
	target.Emulator = status == http.StatusOK && json.Unmarshal(body, &readiness) == nil && readiness.Mode != ""
	if !target.Emulator {
		target.pace = newPace()
	}
	if target.Emulator || target.HTTP == nil && sendsHere(ctx, root) {
		target.Has = append(target.Has, OpenPeers)
	}
	if readiness.Mode != "strict" { // who does not say that it refuses them on purpose must take them
		target.Has = append(target.Has, TakesOverlaps, TakesOffers)
	}
	if readiness.Mode != "dev" {
		target.Has = append(target.Has, IPv4Media)
	}
	if target.Emulator && target.TLSRoots == nil {
		if target.TLSRoots, err = emulatorRoots(ctx, target, root); err != nil {
			return target, err
		}
	}
	_, header, _, err := askAll(ctx, target, http.MethodGet, root+"/v1/nothing")
	if err != nil {
		return target, err
	}
	if target.Emulator && header.Get(explainHeader) != "" {
		target.Has = append(target.Has, Explanations)
	}
	for path, need := range map[string]Need{"/_emu/clock": MovableClock, "/_emu/settings": FixableEstimate} {
		status, _, err = ask(ctx, target, http.MethodGet, root+path)
		if err != nil {
			return target, err
		}
		if target.Emulator && status == http.StatusOK {
			target.Has = append(target.Has, need)
		}
	}
	for _, candidate := range readiness.Candidates {
		if candidate.Protocol == "tcp" {
			target.Has = append(target.Has, TCPMedia)
			break
		}
	}
	return target, nil
}

// sendsHere says whether what is sent at the URL's host to this machine's address can arrive: the address is a public one, or both are
// inside. It sends nothing itself, and asks for IPv4, which is that of the media (contract 3.1).
func sendsHere(ctx context.Context, root string) bool {
	at, err := url.Parse(root)
	if err != nil {
		return false
	}
	conn, err := (&net.Dialer{Timeout: askTime}).DialContext(ctx, "udp4", net.JoinHostPort(at.Hostname(), orElse(at.Port(), "443")))
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	return !inside(conn.LocalAddr()) || inside(conn.RemoteAddr())
}

// shared is the address space of carriers' NATs (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// inside says whether an address is none of the internet's.
func inside(addr net.Addr) bool {
	udp, _ := addr.(*net.UDPAddr)
	ip := udp.AddrPort().Addr().Unmap()
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || shared.Contains(ip)
}

// unreached says what to do where the first request has no answer.
func unreached(err error) error {
	var dialled *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dialled) && dialled.Op == "dial":
		return fmt.Errorf("nothing answers there (%w); start an emulator with callsemu, or leave the base URL out for one "+
			"that is started for the run", dialled)
	case errors.As(err, &untrusted):
		return distrusted("its certificate", untrusted)
	}
	return err
}

func distrusted(certificate string, why *tls.CertificateVerificationError) error {
	return fmt.Errorf("%s is not trusted (%w); name its CA with --ca-file, CALLS_CA_FILE: callsemu ca prints that of the "+
		"emulators on this machine", certificate, why.Err)
}

// emulatorRoots are the CAs of an emulator that shows them, for its TURN over TLS; else the system's.
func emulatorRoots(ctx context.Context, target Target, root string) (*x509.CertPool, error) {
	status, pem, err := ask(ctx, target, http.MethodGet, root+"/_emu/ca.pem")
	roots := x509.NewCertPool()
	if err != nil || status != http.StatusOK || !roots.AppendCertsFromPEM(pem) {
		return nil, err
	}
	return roots, nil
}

// probeApp makes a session: without an app, or at a server of something else, every case would fail, and none would say why.
func probeApp(ctx context.Context, target Target) error {
	root := target.root()
	status, header, body, err := askAs(ctx, target, target.Secret, http.MethodPost, root+"/v1/apps/"+target.AppID+"/sessions/new")
	const settings = "--app-id and --app-secret, CALLS_APP_ID and CALLS_APP_SECRET"
	switch {
	case err != nil:
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		err = refused("the app id with its secret", settings, status)
	case !isObject(body):
		err = otherwise(status, header)
	case status == http.StatusNotFound:
		err = refused("the app id with its secret", settings+"; the base URL ends before /apps/", status)
	}
	if err != nil || !target.Emulator {
		return err
	}
	status, _, _, err = askAs(ctx, target, target.Secret+"0", http.MethodPost, root+"/v1/apps/"+target.AppID+"/sessions/new")
	if err == nil && status == http.StatusCreated {
		err = errors.New("the emulator takes any secret for this app, so that no case can see it refuse one; " +
			"use the app that it printed at its start, or start it with --app ID:SECRET")
	}
	return err
}

// isObject: as every answer of the API is (contract 0.3).
func isObject(body []byte) bool {
	var object map[string]any
	return json.Unmarshal(body, &object) == nil && object != nil
}

// otherwise is the error for an answer that the API does not give.
func otherwise(status int, header http.Header) error {
	what := "instead of a JSON object"
	if to := header.Get("Location"); to != "" {
		what = "that leads to " + to
	} else if kind := header.Get("Content-Type"); kind != "" {
		what = "with " + kind + " " + what
	}
	return fmt.Errorf("what answers there is not the Calls API: sessions/new gets status %d %s; the base URL is what stands before /apps/", status, what)
}

// refused is the error for credentials that were given and are of no use: without them cases would be left out, and nobody would see why.
func refused(what, settings string, status int) error {
	return fmt.Errorf("the target refuses %s: status %d; see %s", what, status, settings)
}

// probeTURN issues a credential, and looks at what it is good for. Without a key there is no TURN.
func probeTURN(ctx context.Context, target Target) (Target, error) {
	root := target.root()
	url := root + "/v1/turn/keys/" + target.TURNKeyID + "/credentials/generate-ice-servers"
	status, _, body, err := askWith(ctx, target, target.TURNKeyToken, http.MethodPost, url, strings.NewReader(`{"ttl":60}`))
	if err == nil && status >= http.StatusBadRequest && (target.TURNKeyID != "" || target.TURNKeyToken != "") {
		err = refused("the TURN key id with its token", "--turn-key-id and --turn-key-token, CALLS_TURN_KEY_ID and CALLS_TURN_KEY_TOKEN", status)
	}
	if err != nil {
		return target, err
	}
	if status < http.StatusMultipleChoices && strings.Contains(string(body), `"turn:`) { // that it is 201 a case proves
		wrong, _, _, err := askWith(ctx, target, target.TURNKeyToken+"0", http.MethodPost, url, strings.NewReader(`{"ttl":60}`))
		if err == nil && wrong == status {
			err = errors.New("the emulator takes any token for this TURN key, so that no case can see it refuse one; " +
				"use the key that it printed at its start, or start it with --turn-key ID:TOKEN")
		}
		if err != nil {
			return target, err
		}
		revokeProbed(ctx, target, url, body)
		target.Has = append(target.Has, TURN)
		if turns := turnsURL.FindSubmatch(body); turns != nil {
			target.Has = append(target.Has, TURNOverTLS)
			return target, probeTURNOverTLS(ctx, target, string(turns[1]))
		}
	}
	return target, nil
}

// turnsURL finds the address of a URL of TURN over TLS.
var turnsURL = regexp.MustCompile(`"turns:([^?"]+)`)

// probeTURNOverTLS asks an emulator that does not show its CA for its certificate. At a service, one that is wrong is for the cases to find.
func probeTURNOverTLS(ctx context.Context, target Target, addr string) error {
	if !target.Emulator || target.TLSRoots != nil {
		return nil
	}
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: askTime}}).DialContext(ctx, "tcp", addr)
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		return distrusted("the certificate of its TURN server", untrusted)
	}
	if err == nil {
		_ = conn.Close()
	}
	return nil // cases say what else is wrong there
}

// revokeProbed takes the credential of the answer back. Where that fails it ends by itself in a minute, and the cases about revoke say why.
func revokeProbed(ctx context.Context, target Target, issuedBy string, answer []byte) {
	for _, found := range secretFields.FindAllSubmatch(answer, -1) {
		if string(found[1]) != "username" {
			continue
		}
		revoke := strings.TrimSuffix(issuedBy, "generate-ice-servers") + string(found[2]) + "/revoke"
		_, _, _, _ = askAs(ctx, target, target.TURNKeyToken, http.MethodPost, revoke) // an error would tell the username
	}
}

// probeAccount finds out whether the account API can be used. An emulator that is open to unknown apps is open to unknown
// accounts as well; without an account there is no account API.
func probeAccount(ctx context.Context, target Target) (Target, error) {
	if target.AccountID == "" && slices.Contains(target.Has, OpenApps) {
		target.AccountID, target.AccountToken = strings.Repeat("7", 32), "probe"
	}
	status, _, _, err := askAs(ctx, target, target.AccountToken, http.MethodGet, target.accountURL()+"/accounts/"+target.AccountID+"/calls/apps")
	if err == nil && status >= http.StatusBadRequest && (target.AccountID != "" || target.AccountToken != "") {
		err = refused("the account id with its token", "--account-url, --account-id and --account-token, CALLS_ACCOUNT_URL, CALLS_ACCOUNT_ID and CALLS_ACCOUNT_TOKEN", status)
	}
	if err != nil {
		return target, err
	}
	if status == http.StatusOK {
		target.Has = append(target.Has, AccountAPI)
		if target.OtherAccountToken != "" {
			target.Has = append(target.Has, TwoAccounts)
		}
	}
	slices.Sort(target.Has)
	return target, nil
}

func ask(ctx context.Context, target Target, method, url string) (status int, body []byte, err error) {
	status, _, body, err = askAll(ctx, target, method, url)
	return status, body, err
}

func askAll(ctx context.Context, target Target, method, url string) (status int, header http.Header, body []byte, err error) {
	return askAs(ctx, target, "probe", method, url)
}

func askAs(ctx context.Context, target Target, token, method, url string) (status int, header http.Header, body []byte, err error) {
	return askWith(ctx, target, token, method, url, nil)
}

// askTime bounds one request of the probe with its answer.
const askTime = 15 * time.Second

func askWith(ctx context.Context, target Target, token, method, url string, send io.Reader) (status int, header http.Header, body []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer within %s", askTime))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, send)
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := target.HTTP
	if client == nil {
		client = target.client()
		defer client.CloseIdleConnections()
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, nil, askError(ctx, method, url, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, nil, askError(ctx, method, url, err)
	}
	return response.StatusCode, response.Header, body, nil
}

// askError names what was asked, once, and what ended it.
func askError(ctx context.Context, method, target string, err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s %s: %w", method, target, err)
}
