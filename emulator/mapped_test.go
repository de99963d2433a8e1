package emulator

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/internal/porttest"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// mapping publishes a UDP and a TCP port of the emulator under another number, which both have, as a container engine does.
type mapping struct {
	addr     string
	udp, tcp atomic.Int64 // bytes that came from clients
}

// publishPort forwards until the test ends.
func publishPort(t *testing.T, to string) *mapping {
	t.Helper()
	listener, socket := porttest.Pair(t)
	m := &mapping{addr: listener.Addr().String()}
	var (
		working sync.WaitGroup
		mu      sync.Mutex
		open    = []io.Closer{listener, socket}
		over    bool
	)
	keep := func(c io.Closer) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			_ = c.Close()
		}
		open = append(open, c)
	}
	t.Cleanup(func() {
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		over = true
		mu.Unlock()
		working.Wait()
	})
	working.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			keep(in)
			keep(out)
			working.Go(func() { n, _ := io.Copy(out, in); m.tcp.Add(n); _ = out.Close() })
			working.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		}
	})
	working.Go(func() { forwardUDP(socket, to, m, keep, &working) })
	return m
}

// forwardUDP gives each client a socket of its own towards the emulator.
func forwardUDP(socket net.PacketConn, to string, m *mapping, keep func(io.Closer), working *sync.WaitGroup) {
	clients := map[string]net.Conn{}
	buf := make([]byte, 2000)
	for {
		n, from, err := socket.ReadFrom(buf)
		if err != nil {
			return
		}
		out := clients[from.String()]
		if out == nil {
			if out, err = net.Dial("udp", to); err != nil {
				return
			}
			clients[from.String()] = out
			keep(out)
			working.Go(func() {
				back := make([]byte, 2000)
				for {
					n, err := out.Read(back)
					if err != nil {
						return
					}
					_, _ = socket.WriteTo(back[:n], from)
				}
			})
		}
		m.udp.Add(int64(n))
		_, _ = out.Write(buf[:n])
	}
}

// TestRelaysReachTheSFUBehindAMappedPort: nobody listens at the advertised address on this side.
func TestRelaysReachTheSFUBehindAMappedPort(t *testing.T) {
	for _, mode := range []session.Mode{session.ModeDev, session.ModeReal} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, withTURN, func(c *Config) { c.Mode = mode; c.Advertise = []string{"203.0.113.7:9"} })
			s := r.iceServers()[1]
			r.relayed(s, s.URLs[0])
			r.zone("PUT", "settings", `{"advertise":["203.0.113.8:10","203.0.113.9:10"]}`, 200, nil)
			r.relayed(s, s.URLs[1])
			r.zone("PUT", "settings", `{"advertise":[]}`, 200, nil)
			r.relayed(s, s.URLs[0])
		})
	}
}

// TestMappedPortIsOfferedFromTheSettingOn: what a container engine chose as the port outside is told after the start, and later
// SDP has nothing else, so that media goes there.
func TestMappedPortIsOfferedFromTheSettingOn(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		t.Run(fmt.Sprintf("tcp %t", tcp), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
			m := publishPort(t, strings.TrimSuffix(strings.TrimPrefix(r.e.BaseURL(), "http://"), "/v1"))
			r.zone("PUT", "settings", fmt.Sprintf(`{"advertise":[%q]}`, m.addr), 200, nil)
			peer, err := sfutest.NewPeer(sfutest.Config{TCPOnly: tcp})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = peer.Close() })
			track, err := peer.Publish(sfutest.Track{Codec: sfutest.Opus})
			if err != nil {
				t.Fatal(err)
			}
			id, answer := r.push(peer, track)
			host, port, _ := net.SplitHostPort(m.addr)
			for line := range strings.Lines(answer) {
				if strings.HasPrefix(line, "a=candidate:") && !strings.Contains(line, " "+host+" "+port+" ") {
					t.Errorf("another candidate is offered: %s", line)
				}
			}
			if err := peer.WaitConnected(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := track.Wait(t.Context(), func(s sfutest.PublisherStats) bool { return s.Packets > 10 }); err != nil {
				t.Fatal(err)
			}
			if code, _ := r.pull(id); code != "" {
				t.Errorf("pull: %s", code)
			}
			if err := peer.Close(); err != nil { // TCP is counted at its end
				t.Fatal(err)
			}
			if carried := &m.udp; !tcp && carried.Load() == 0 {
				t.Error("nothing went through the mapped port over UDP")
			}
			if tcp {
				mustWaitFor(t, "bytes through the mapped port over TCP", func() bool { return m.tcp.Load() > 0 })
			}
		})
	}
}
