package adapter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/coder/websocket"
)

// DialerConfig says what a Dialer may reach, and how it looks names up.
type DialerConfig struct {
	Policy   Policy
	Resolver *net.Resolver  // nil for the machine's
	RootCAs  *x509.CertPool // who may vouch for wss endpoints; nil for the machine's
}

// Dialer makes every connection that the emulator makes by itself: nothing else in the program dials, but for the test of
// its own sockets. The policy is applied to the address of each connection, after names were looked up and before the first
// packet, so that neither a spelling nor a name server's second thoughts get around it.
type Dialer struct {
	policy Policy
	client *http.Client
}

// NewDialer makes a Dialer. It holds no connection, so there is nothing to close.
func NewDialer(cfg DialerConfig) *Dialer {
	d := &Dialer{policy: cfg.Policy}
	dialer := &net.Dialer{Resolver: cfg.Resolver, Control: d.control}
	d.client = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dialer.DialContext(ctx, network, address)
				if made, ok := ctx.Value(madeKey{}).(*net.Conn); ok {
					*made = conn
				}
				return conn, err //nolint:wrapcheck // http.Client does
			}, // and no Proxy, which would look names up for us
			TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true, // its header is none of the handshake's
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return d
}

// madeKey is where in a context the connection is put that the client makes; only its owner can cut it off.
type madeKey struct{}

// control is called for every socket before it connects.
func (d *Dialer) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s address %q", ErrForbidden, network, address)
	}
	return d.policy.checkAddress(at.Addr())
}

// dial connects to an endpoint. There is no header but those of the handshake, no subprotocol, no compression, no redirect
// (contract 5.1). It fails with ErrLocalhost, ErrForbidden, ErrHandshake, or the context's cause.
func (d *Dialer) dial(ctx context.Context, endpoint string) (*socket, error) {
	at, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, withoutURL(err))
	}
	if err := d.policy.checkName(at.Hostname()); err != nil {
		return nil, err
	}
	var made net.Conn
	ctx = context.WithValue(ctx, madeKey{}, &made)
	conn, response, err := websocket.Dial(ctx, endpoint, &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		HTTPClient: d.client, CompressionMode: websocket.CompressionDisabled,
	})
	switch {
	case err == nil:
		return newSocket(conn, made), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, ErrLocalhost):
		return nil, fmt.Errorf("%w: %s resolves to it", ErrLocalhost, at.Hostname())
	case errors.Is(err, ErrForbidden):
		return nil, fmt.Errorf("%w: what %s resolves to", ErrForbidden, at.Hostname())
	case response != nil && response.StatusCode/100 == 3:
		return nil, fmt.Errorf("%w: the endpoint redirects (status %d), which is not followed", ErrHandshake, response.StatusCode)
	case response != nil:
		return nil, fmt.Errorf("%w: the endpoint answered with status %d instead of the upgrade", ErrHandshake, response.StatusCode)
	}
	return nil, fmt.Errorf("%w: %w", ErrHandshake, withoutURL(err))
}

// withoutURL takes the cause out of an error that quotes the URL, in which there may be a token.
func withoutURL(err error) error {
	var quoting *url.Error
	if errors.As(err, &quoting) {
		return quoting.Err
	}
	return err
}

// tokenLength is from where on a part of a path may be a token: keys are longer, words are shorter.
const tokenLength = 20

// Mask is an endpoint as logs and state show it: without what comes after the path, and without long parts of the path, where
// tokens stand (contract 5.1).
func Mask(endpoint string) string {
	at, err := url.Parse(endpoint)
	if err != nil {
		return "(not a URL)"
	}
	parts := strings.Split(at.EscapedPath(), "/")
	for i, part := range parts {
		if len(part) >= tokenLength {
			parts[i] = "***"
		}
	}
	shown := at.Scheme + "://" + at.Host + strings.Join(parts, "/")
	if at.RawQuery != "" {
		return shown + "?***"
	}
	return shown
}
