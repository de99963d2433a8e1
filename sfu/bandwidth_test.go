package sfu_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// The addresses of the virtual network: the SFU's in it, and the endpoint's.
const virtualSFU, virtualEndpoint = "192.0.2.1", "192.0.2.2"

// narrowNet is a virtual network in which an endpoint sits behind a token bucket, joined to the real socket of an SFU: the
// SFU knows real sockets only.
type narrowNet struct {
	endpoint *vnet.Net
	bucket   *vnet.TBFQueue // towards the endpoint
}

// newNarrowNet makes one without a limit.
func newNarrowNet(t *testing.T, s *sfu.SFU) *narrowNet {
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "192.0.2.0/24", LoggerFactory: logging.NewDefaultLoggerFactory()})
	check(t, err)
	host, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{virtualSFU}})
	check(t, err)
	endpoint, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{virtualEndpoint}})
	check(t, err)
	n := &narrowNet{endpoint: endpoint, bucket: vnet.NewTBFQueue(0, 3000, 0)}
	n.lift()
	narrow, err := vnet.NewQueue(endpoint, n.bucket)
	check(t, err)
	check(t, router.AddNet(host))
	check(t, router.AddNet(narrow))
	check(t, router.Start())
	t.Cleanup(func() {
		check(t, router.Stop())
		check(t, narrow.Close())
	})
	join(t, host, s)
	return n
}

// limit lets so many bits a second through, and drops what the queue of so many bytes cannot hold.
func (n *narrowNet) limit(bitsPerSecond, queue int) {
	n.bucket.SetSize(int64(queue))
	n.bucket.SetRate(bitsPerSecond)
}

// lift ends the limit.
func (n *narrowNet) lift() { n.limit(1_000_000_000, 8<<20) }

// join carries packets between the SFU's first socket and its address in the virtual network.
func join(t *testing.T, host *vnet.Net, s *sfu.SFU) {
	actual := s.LocalAddrs()[0]
	inside, err := host.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(virtualSFU), Port: int(actual.Port())})
	check(t, err)
	s.SetAdvertise([]netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(virtualSFU), actual.Port())})
	outside, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(actual))
	check(t, err)
	var mu sync.Mutex
	var endpoint net.Addr // the one there is, once it has sent
	var joined sync.WaitGroup
	joined.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := inside.ReadFrom(buf)
			if err != nil {
				return
			}
			mu.Lock()
			endpoint = from
			mu.Unlock()
			_, _ = outside.Write(buf[:n])
		}
	})
	joined.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, err := outside.Read(buf)
			if err != nil {
				return
			}
			mu.Lock()
			to := endpoint
			mu.Unlock()
			_, _ = inside.WriteTo(buf[:n], to)
		}
	})
	t.Cleanup(func() {
		_ = inside.Close()
		_ = outside.Close()
		joined.Wait()
	})
}

// receiverEstimate sends REMB five times a second as a receiver of libwebrtc does (draft-ietf-rmcat-gcc-02 section 5.5): while
// the link is overused it falls to 85 % of what arrives, otherwise it grows by 8 % a second, up to half as much again as
// arrives. So it never says that more would fit than is sent. Overuse shows as loss here, since the bucket's queue is short;
// that packets are late may be the doing of a busy machine.
func receiverEstimate(t *testing.T, sub *sfutest.Subscriber) {
	const step = 200 * time.Millisecond
	stop := make(chan struct{})
	var joined sync.WaitGroup
	joined.Go(func() {
		ticker := time.NewTicker(step)
		defer ticker.Stop()
		estimate := 0.0
		window := []sfutest.SubscriberStats{sub.Stats()} // of a second
		for {
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
			now, before := sub.Stats(), window[len(window)-1]
			window = append(window, now)
			arrives := float64(now.Octets-window[0].Octets) * 8 / (float64(len(window)-1) * step.Seconds())
			if len(window) > 5 {
				window = window[1:]
			}
			if now.Missing > before.Missing {
				estimate = min(estimate, 0.85*arrives)
			} else {
				estimate = max(estimate, min(1.5*arrives+10_000, max(arrives, estimate*(1+0.08*step.Seconds()))))
			}
			_ = sub.SendREMB(uint64(estimate)) // fails until there is media
		}
	})
	t.Cleanup(func() {
		close(stop)
		joined.Wait()
	})
}

// TestNarrowLinkGetsTheLayerThatFits: a subscriber whose link passes 300 kbit/s falls from 1.1 Mbit/s to the layer of 90
// kbit/s, gets that whole, and comes back layer by layer when the limit is lifted.
func TestNarrowLinkGetsTheLayerThatFits(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // the estimate of a free link needs some 20 s to grow
	t.Cleanup(cancel)
	s := start(t, sfu.Config{})
	layers := []sfutest.Layer{
		{RID: "a", Width: 1280, Height: 720, PerFrame: 5, Size: 1100},
		{RID: "b", Width: 640, Height: 360, PerFrame: 3, Size: 600},
		{RID: "c", Width: 320, Height: 180, PerFrame: 2, Size: 220},
	}
	e := endpoint(t, sfutest.Config{})
	senders, err := e.PublishSimulcast(sfutest.Track{Codec: sfutest.VP8}, layers...)
	check(t, err)
	offer, err := e.Offer(ctx)
	check(t, err)
	p, err := s.NewPeer()
	check(t, err)
	got, err := p.Answer(description(t, offer), sfu.AnswerPlan{Publish: []string{senders[0].Mid()}})
	check(t, err)
	check(t, e.SetAnswer(got.SDP))
	pub := got.Publications[senders[0].Mid()]
	wait(t, pub.Ready())

	link := newNarrowNet(t, s)
	viewer := endpoint(t, sfutest.Config{Net: link.endpoint})
	vp, err := s.NewPeer()
	check(t, err)
	wish := sfu.Selection{PreferredRID: "a", FallOnBandwidth: true}
	pulled, err := vp.Offer(sfu.OfferPlan{Pulls: []sfu.Pull{{Publication: pub, Selection: wish}}})
	check(t, err)
	answer, err := viewer.Answer(ctx, pulled.SDP)
	check(t, err)
	check(t, vp.AcceptAnswer(description(t, answer)))
	sub := viewer.Subscriber("0")
	receiverEstimate(t, sub)

	on := func(layer int) sfutest.SubscriberStats {
		t.Helper()
		stats, err := sub.WaitStream(ctx, senders[layer].Stream())
		if err != nil {
			t.Fatalf("layer %s: %v; the estimate is %d", layers[layer].RID, err, vp.Info().Estimate)
		}
		return stats
	}
	on(0)
	flows(t, sub)
	link.limit(300_000, 15_000)
	on(2)
	drained, err := sub.WaitMore(ctx, 20) // what waited in the bucket has come
	check(t, err)
	if whole, err := sub.WaitMore(ctx, 40); err != nil || whole.Missing != drained.Missing || whole.LastStamp.Stream != senders[2].Stream() {
		t.Errorf("the layer that fits does not come whole: %v, %+v", err, whole)
	}
	link.lift()
	on(1)
	on(0)
	back, err := sub.WaitMore(ctx, 500) // four seconds
	check(t, err)
	if back.LastStamp.Stream != senders[0].Stream() {
		t.Errorf("it did not stay on the largest layer: %+v", back.Switches)
	}
	if back.SequenceSteps+back.TimestampSteps != 0 || len(back.SSRCs) != 1 {
		t.Errorf("the stream is damaged: %+v", back)
	}
	flows(t, sub)
}
