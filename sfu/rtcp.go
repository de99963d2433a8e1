package sfu

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/callsemu/callsemu/sfu/internal/layers"
)

// maxNACKs bounds what one RTCP packet may make the SFU send: a hostile one can name 17 packets with every 4 bytes.
const maxNACKs = 256

// receiveRTCP opens one compound packet and serves what is in it. Full intra requests are not honoured: with the real
// service only PLI brings a key frame (contract 3.4).
func (p *Peer) receiveRTCP(w *worker, b []byte) {
	a := p.current.Load()
	if a == nil {
		return
	}
	a.inMu.Lock()
	plain, err := a.in.DecryptRTCP(nil, b, nil)
	a.inMu.Unlock()
	if err != nil {
		return // a duplicate, or not from the endpoint
	}
	p.lastSeen.Store(w.now.UnixNano())
	packets, err := rtcp.Unmarshal(plain)
	if err != nil {
		return // RFC 3550 appendix A.2: a malformed compound packet is dropped whole
	}
	for _, pkt := range packets {
		switch pkt := pkt.(type) {
		case *rtcp.SenderReport:
			p.receiveReport(pkt, w.now)
		case *rtcp.TransportLayerNack:
			if sub := p.subscription(pkt.MediaSSRC); sub != nil {
				sub.retransmit(w, requested(pkt.Nacks))
			}
		case *rtcp.PictureLossIndication:
			if sub := p.subscription(pkt.MediaSSRC); sub != nil {
				sub.requestKeyFrame()
			}
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			p.estimated.Store(uint64(max(pkt.Bitrate, 0)))
		}
	}
}

func requested(pairs []rtcp.NackPair) []uint16 {
	var seqs []uint16
	for i := range pairs {
		seqs = append(seqs, pairs[i].PacketList()...)
		if len(seqs) >= maxNACKs {
			return seqs[:maxNACKs]
		}
	}
	return seqs
}

// subscription finds what the SFU sends under an SSRC.
func (p *Peer) subscription(ssrc uint32) *Subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.negotiation.sections {
		if s.subscription != nil && s.subscription.ssrc == ssrc {
			return s.subscription
		}
	}
	return nil
}

// receiveReport notes a publisher's clock and passes it on to all who receive the stream.
func (p *Peer) receiveReport(sr *rtcp.SenderReport, now time.Time) {
	st := (*p.streams.Load())[sr.SSRC]
	if st == nil || st.repairs != nil {
		return
	}
	report := senderReport{ntp: sr.NTPTime, rtp: sr.RTPTime, arrived: now}
	p.inbound.mu.Lock()
	st.sr = report
	p.inbound.mu.Unlock()
	st.report.Store(&report)
	if pub := st.section.publication.Load(); pub != nil {
		for _, sub := range *pub.receives.Load() {
			sub.report(st, now)
		}
	}
}

// estimatePerTrack is the bandwidth for one video track: all pulled tracks have equal priority (contract 3.4).
func (p *Peer) estimatePerTrack() layers.Estimate {
	fixed := p.fixedEstimate.Load()
	e := layers.Estimate{Bitrate: p.estimated.Load()}
	if fixed != 0 {
		e = layers.Estimate{Bitrate: fixed, Fixed: true}
	}
	if n := p.videos.Load(); n > 1 {
		e.Bitrate /= uint64(n)
	}
	return e
}

// FixEstimate sets the bandwidth towards the endpoint, in bits a second, whatever the endpoint itself reports; 0 ends that.
func (p *Peer) FixEstimate(bitrate uint64) { p.fixedEstimate.Store(bitrate) }
