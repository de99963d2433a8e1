package conformance_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// distance lies between the suite and a stand-in: every request, every answer and every packet of media takes its time, and some of the
// packets do not arrive.
type distance struct {
	oneWay time.Duration
	loses  float64 // so much of the media, from 0 to 1; a handshake is not, whose loss would be a hole in the media of its own

	blocked bool // no packet arrives at all

	mu   sync.Mutex
	ways map[string]*way // by the address of the SFU
}

// way leads from a port of its own to an address of the SFU, as a NAT does: the SFU sees a socket for each client.
type way struct {
	*distance
	here *net.UDPConn
	to   netip.AddrPort

	clients map[netip.AddrPort]*net.UDPConn // used by the reader of here
	moving  sync.WaitGroup
}

// pass returns when what has gone has arrived, or when nobody waits for it any more.
func (d *distance) pass(ctx context.Context) {
	timer := time.NewTimer(d.oneWay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var (
	overTCP = regexp.MustCompile(`a=candidate:[^\\]* tcp [^\\]*\\r\\n`)
	overUDP = regexp.MustCompile(`(127\.0\.0\.1) (\d+) typ host`)
)

// farther puts the candidates of an SDP at this distance. Those over TCP go: the service has none (contract 3.1).
func (d *distance) farther(t *testing.T, body []byte) []byte {
	body = overTCP.ReplaceAll(body, nil)
	return overUDP.ReplaceAllFunc(body, func(candidate []byte) []byte {
		port := overUDP.FindSubmatch(candidate)[2]
		return []byte("127.0.0.1 " + strconv.Itoa(d.wayTo(t, "127.0.0.1:"+string(port))) + " typ host")
	})
}

// wayTo is the port that leads to the address.
func (d *distance) wayTo(t *testing.T, address string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.ways[address]
	if w == nil {
		if d.ways == nil {
			d.ways = map[string]*way{}
		}
		here, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = here.SetReadBuffer(4 << 20)
		w = &way{distance: d, here: here, to: netip.MustParseAddrPort(address), clients: map[netip.AddrPort]*net.UDPConn{}}
		d.ways[address] = w
		w.moving.Go(w.there)
	}
	return w.here.LocalAddr().(*net.UDPAddr).Port
}

// end closes the ways and waits for what moves there.
func (d *distance) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.ways {
		_ = w.here.Close()
		w.moving.Wait()
	}
}

// there moves what clients send; it ends with the socket.
func (w *way) there() {
	defer func() {
		for _, conn := range w.clients {
			_ = conn.Close()
		}
	}()
	w.move(w.here, func(client netip.AddrPort) func([]byte) {
		conn := w.clients[client]
		if conn == nil {
			made, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(w.to))
			if err != nil {
				return func([]byte) {}
			}
			_ = made.SetReadBuffer(4 << 20)
			conn = made
			w.clients[client] = conn
			w.moving.Go(func() {
				w.move(conn, func(netip.AddrPort) func([]byte) {
					return func(p []byte) { _, _ = w.here.WriteToUDPAddrPort(p, client) }
				})
			})
		}
		return func(p []byte) { _, _ = conn.Write(p) }
	})
}

// move reads until the socket is closed, and writes every packet in its turn when it has arrived.
func (w *way) move(from *net.UDPConn, to func(netip.AddrPort) func([]byte)) {
	type packet struct {
		due   time.Time
		bytes []byte
		write func([]byte)
	}
	under := make(chan packet, 1<<14)
	var arriving sync.WaitGroup
	arriving.Go(func() {
		for p := range under {
			timer := time.NewTimer(time.Until(p.due))
			<-timer.C
			p.write(p.bytes)
		}
	})
	defer func() { close(under); arriving.Wait() }()
	buffer := make([]byte, 2048)
	chance := rand.New(rand.NewPCG(1, 2)) // every time the same packets of each way
	for {
		n, sender, err := from.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		if media := n > 0 && buffer[0]>>6 == 2; w.blocked || media && chance.Float64() < w.loses { // RFC 7983
			continue
		}
		select {
		case under <- packet{time.Now().Add(w.oneWay), append([]byte(nil), buffer[:n]...), to(sender)}:
		default: // the network is full
		}
	}
}

// TestMediaThatDoesNotGetThroughIsSaid: to a service, before the cases begin; an emulator has its own ways to say so.
func TestMediaThatDoesNotGetThroughIsSaid(t *testing.T) {
	for blocked, want := range map[bool]string{false: "", true: "no media gets through"} {
		target, _ := behindStandIn(t, ofItself(t), &distance{blocked: blocked})
		target = probed(t, target)
		within := 20 * time.Second
		if blocked {
			within = 4 * time.Second
		}
		err := conformance.ProbeMediaWithin(t.Context(), target, within)
		if got := fmt.Sprint(err); (err != nil) != (want != "") || !strings.Contains(got, want) {
			t.Errorf("with UDP blocked %t: %v", blocked, err)
		}
		target.Emulator = true
		if err := conformance.ProbeMedia(t.Context(), target); err != nil {
			t.Errorf("an emulator: %v", err)
		}
	}
}
