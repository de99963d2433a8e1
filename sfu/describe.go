package sfu

import (
	"slices"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// roleLocked needs mu. The endpoint's first SDP decides who is the DTLS client, for the session's life (contract 3.1).
func (p *Peer) roleLocked(d *sdp.Description) {
	if p.fingerprint != "" {
		return
	}
	for i := range d.Media {
		if m := &d.Media[i]; !m.Rejected {
			p.active = m.Setup == "passive"
			return
		}
	}
}

// remoteLocked needs mu. It takes over what the endpoint's SDP says of the transport.
func (p *Peer) remoteLocked(d *sdp.Description, isOffer bool) {
	for i := range d.Media {
		m := &d.Media[i]
		if m.Rejected {
			continue
		}
		p.fingerprint = m.Fingerprint
		if isOffer && p.remoteUfrag != "" && m.Ufrag != p.remoteUfrag {
			p.restartICELocked()
		}
		p.remoteUfrag = m.Ufrag
		p.learnICELocked(d, m, isOffer)
		break
	}
	select {
	case <-p.fingerprinted:
	default:
		if p.fingerprint != "" {
			close(p.fingerprinted)
		}
	}
	p.learnExtensionsLocked()
	if p.state == StateNew {
		p.setStateLocked(StateNegotiating)
	}
	if p.active && p.nominated != nil && p.pending == nil && p.current.Load() == nil {
		p.associateLocked(true, p.nominated.path)
	}
}

// restartICELocked needs mu. The endpoint's offer has new ICE credentials: the answer must have new ones as well (RFC 8839
// section 4.4.1.1.1). DTLS goes on, over whichever path is nominated.
func (p *Peer) restartICELocked() {
	before := p.ufrag
	p.ufrag, p.pwd = randomLetters(16), randomLetters(32)
	p.nominated = nil
	p.sfu.restart(p, before, p.ufrag, p.pwd)
}

// describeLocked needs mu. It is the SFU's side of every section; those in closed are inactive.
func (p *Peer) describeLocked(closed []string) *sdp.Description {
	d := &sdp.Description{}
	for _, s := range p.negotiation.sections {
		m := sdp.Media{
			Kind:         string(s.kind),
			Protocol:     s.protocol,
			Mid:          s.mid,
			Rejected:     s.rejected,
			Ufrag:        p.ufrag,
			Pwd:          p.pwd,
			Setup:        p.setupLocked(),
			Codecs:       s.codecs,
			Extensions:   s.extensions,
			Receives:     s.receives() && !s.stopped && !slices.Contains(closed, s.mid),
			RIDsReceived: true,
			MaxMessage:   maxOffered,
		}
		if m.Receives {
			m.RIDs = s.remote.RIDs
		}
		if sub := s.subscription; sub != nil && !s.rejected {
			m.Sends = s.remote.Receives
			m.CName, m.MSID = sub.streamID, sub.streamID+" "+sub.trackID
			m.Sources = []sdp.Source{{SSRC: sub.ssrc, RTX: sub.rtxIfAgreed(s.codecs)}}
		}
		d.Media = append(d.Media, m)
	}
	return d
}

// setupLocked needs mu: the DTLS role in answers (RFC 8842 section 5.2).
func (p *Peer) setupLocked() string {
	if p.active {
		return "active"
	}
	return "passive"
}

// textLocked needs mu.
func (p *Peer) textLocked(d *sdp.Description) string {
	p.negotiation.version++
	var candidates []string
	for _, c := range p.sfu.Candidates() {
		candidates = append(candidates, c.String())
	}
	return d.Text(sdp.Session{
		ID:          p.sessionID,
		Version:     p.negotiation.version,
		Fingerprint: p.sfu.fingerprint,
		Lite:        !p.full,
		Candidates:  candidates,
	})
}

func intersect(a, b []string) []string {
	var out []string
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
