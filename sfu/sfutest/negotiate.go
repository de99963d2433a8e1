package sfutest

import (
	"context"
	"fmt"

	"github.com/pion/webrtc/v4"
)

// Offer makes an offer of everything published and stopped so far and sets it as the local description. With
// Config.Gather it waits for the candidates.
func (p *Peer) Offer(ctx context.Context) (string, error) {
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return "", fmt.Errorf("sfutest: create offer: %w", err)
	}
	return p.setLocal(ctx, offer)
}

// OfferRestart is Offer with new ICE credentials; the peer needs Config.Restarts.
func (p *Peer) OfferRestart(ctx context.Context) (string, error) {
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return "", fmt.Errorf("sfutest: create offer: %w", err)
	}
	return p.setLocal(ctx, offer)
}

// SetAnswer applies the far end's answer to Offer.
func (p *Peer) SetAnswer(sdp string) error {
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}
	if err := p.pc.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("sfutest: set answer: %w", err)
	}
	return nil
}

// Answer applies the far end's offer and makes the answer to it. Tracks of PublishInAnswer take the offer's receiving
// sections, in order and by kind.
func (p *Peer) Answer(ctx context.Context, sdp string) (string, error) {
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}
	if err := p.pc.SetRemoteDescription(offer); err != nil {
		return "", fmt.Errorf("sfutest: set offer: %w", err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("sfutest: create answer: %w", err)
	}
	return p.setLocal(ctx, answer)
}

func (p *Peer) setLocal(ctx context.Context, desc webrtc.SessionDescription) (string, error) {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(desc); err != nil {
		return "", fmt.Errorf("sfutest: set %s: %w", desc.Type, err)
	}
	if !p.cfg.Gather {
		return desc.SDP, nil
	}
	select {
	case <-gathered:
		return p.pc.LocalDescription().SDP, nil
	case <-p.done:
		return "", ErrClosed
	case <-ctx.Done():
		return "", fmt.Errorf("sfutest: gathering: %w", context.Cause(ctx))
	}
}

// Stop stops the transceiver of a mid; the next Offer says so (pion shows it as inactive).
func (p *Peer) Stop(mid string) error {
	for _, t := range p.pc.GetTransceivers() {
		if t.Mid() == mid {
			if err := t.Stop(); err != nil {
				return fmt.Errorf("sfutest: stop mid %s: %w", mid, err)
			}
			return nil
		}
	}
	return fmt.Errorf("sfutest: no transceiver has mid %q", mid)
}

// ReceiveAs adds a recvonly section with a mid of the caller's choice for one media kind ("audio" or "video"), for
// offers that ask instead of answer.
func (p *Peer) ReceiveAs(kind, mid string) error {
	t, err := p.pc.AddTransceiverFromKind(webrtc.NewRTPCodecType(kind), webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionRecvonly,
	})
	if err != nil {
		return fmt.Errorf("sfutest: receive %s: %w", kind, err)
	}
	if err := t.SetMid(mid); err != nil {
		return fmt.Errorf("sfutest: mid %s: %w", mid, err)
	}
	return nil
}

// SelectedTransport names the protocol of the ICE pair in use: "udp" or "tcp", "" before there is one.
func (p *Peer) SelectedTransport() string {
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	return pair.Remote.Protocol.String()
}
