package sfutest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/pion/stun/v4"
)

// bindingPause lies between two tries of Binding.
const bindingPause = 250 * time.Millisecond

// Binding asks the STUN server at HOST:PORT over UDP from which address it sees this machine. It asks again until an answer
// comes, ctx ends, or the system reports that nobody listens there.
func Binding(ctx context.Context, server string) (netip.AddrPort, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", server)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sfutest: binding: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sfutest: binding: %w", err)
	}
	for {
		seen, err := askBinding(conn, request)
		switch {
		case err == nil:
			return seen, nil
		case ctx.Err() != nil: // which has closed the socket
			return netip.AddrPort{}, fmt.Errorf("sfutest: binding: no answer over UDP: %w", context.Cause(ctx))
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return netip.AddrPort{}, fmt.Errorf("sfutest: binding: %w", err)
		}
	}
}

// askBinding asks once; os.ErrDeadlineExceeded where no answer comes soon.
func askBinding(conn net.Conn, request *stun.Message) (netip.AddrPort, error) {
	if _, err := conn.Write(request.Raw); err != nil {
		return netip.AddrPort{}, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(bindingPause)); err != nil {
		return netip.AddrPort{}, err
	}
	return readBinding(conn, request.TransactionID)
}

// readBinding reads until the answer, past whatever else comes.
func readBinding(conn net.Conn, id [stun.TransactionIDSize]byte) (netip.AddrPort, error) {
	buf := make([]byte, 1500)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return netip.AddrPort{}, err
		}
		if seen, ok := seenIn(buf[:n], id); ok {
			return seen, nil
		}
	}
}

// seenIn reads the address of a success response to the request with that id.
func seenIn(packet []byte, id [stun.TransactionIDSize]byte) (netip.AddrPort, bool) {
	response := stun.New()
	if err := stun.Decode(packet, response); err != nil || response.TransactionID != id || response.Type != stun.BindingSuccess {
		return netip.AddrPort{}, false
	}
	var seen stun.XORMappedAddress
	if err := seen.GetFrom(response); err != nil {
		return netip.AddrPort{}, false
	}
	addr, ok := netip.AddrFromSlice(seen.IP)
	return netip.AddrPortFrom(addr.Unmap(), uint16(seen.Port)), ok
}
