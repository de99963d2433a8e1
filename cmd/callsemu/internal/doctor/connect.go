package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
)

// askConnect resolves the name and connects.
func askConnect(ctx context.Context, p *patient) Result {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", p.host)
	if err != nil {
		return failed("the name "+p.host+" does not resolve ("+reason(err)+")",
			"in a compose network use the name or an alias of the service; elsewhere put the name into the hosts file, or use the address")
	}
	for _, a := range addrs {
		p.addrs = append(p.addrs, a.Unmap())
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.at())
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed("nothing listens at "+p.at(), "start the emulator with callsemu serve, whose start message shows the URL; if it runs in a "+
			"container, publish the port: "+p.publishing("tcp")+", and with /udp")
	case err != nil:
		return failed(p.at()+" does not take TCP connections ("+reason(err)+")", "check address and port, and what is between: a firewall, "+
			"a VPN, a container whose port is not published")
	}
	remote := conn.RemoteAddr().String()
	_ = conn.Close()
	if remote == p.at() {
		return okay("%s takes TCP connections", remote)
	}
	return okay("%s is %s, which takes TCP connections", p.at(), remote)
}

// askHTTP asks for anything: every HTTP server has an answer.
func askHTTP(ctx context.Context, p *patient) Result {
	if p.url.Scheme == "https" {
		return skip("the URL begins with https://")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.root()+"/healthz", nil)
	if err != nil {
		return failed(err.Error(), "check --url")
	}
	resp, err := p.client.Do(req)
	switch {
	case err == nil:
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusBadRequest && p.speaksTLS(ctx) {
			return failed("the port is for HTTPS alone", "use --url https://"+p.at())
		}
		return okay("HTTP is spoken there")
	case p.speaksTLS(ctx):
		return failed("the port is for HTTPS alone", "use --url https://"+p.at())
	}
	return failed("no HTTP is spoken there ("+reason(err)+")", "another program has the port; give that of --listen, which the start message of callsemu shows")
}

// speaksTLS says whether a TLS handshake succeeds, whatever the certificate.
func (p *patient) speaksTLS(ctx context.Context) bool {
	conn, err := p.dialTLS(ctx, p.at(), &tls.Config{InsecureSkipVerify: true, ServerName: p.host}) // nothing is sent
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (p *patient) dialTLS(ctx context.Context, addr string, cfg *tls.Config) (*tls.Conn, error) {
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

// reason is an error without the parts that the text around it has.
func reason(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return dns.Err
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF):
		return "the connection was closed"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "sfutest: ")
}

// isLocal says whether the name stands for this machine alone.
func (p *patient) isLocal() bool {
	for _, a := range p.addrs {
		if !a.IsLoopback() {
			return false
		}
	}
	return len(p.addrs) > 0
}

// has says whether the URL's name stands for that address.
func (p *patient) has(addr netip.Addr) bool {
	for _, a := range p.addrs {
		if a == addr {
			return true
		}
	}
	return false
}

// address is the one to advertise: that by which the API is reached, IPv4 before IPv6.
func (p *patient) address() string {
	for _, a := range p.addrs {
		if a.Is4() {
			return a.String()
		}
	}
	return fmt.Sprintf("[%s]", p.addrs[0])
}
