package sdp

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// Reasons why a text is refused; each is a different answer of the API (contract 1.2, 1.3).
var (
	ErrSyntax  = errors.New("sdp cannot be parsed")
	ErrLineEnd = errors.New("sdp does not end with a line termination")
	ErrNoUfrag = errors.New("sdp contains no ice-ufrag")
)

// maxMedia bounds the m-lines of one description; each costs memory on both sides for the life of the session.
const maxMedia = 1024

// maxCandidates bounds the addresses that an endpoint can make the SFU send checks to.
const maxCandidates = 16

// Bounds of what is kept of one section for the life of a session, far above what browsers send.
const (
	maxAttribute = 2048 // characters of one value
	maxSources   = 64
	maxRIDs      = 16
	maxExtension = 32
)

// Description is what negotiation uses of one SDP.
type Description struct {
	Bundle []string // mids of the BUNDLE group, the tag first; empty when there is none
	Lite   bool     // the writer is ICE-lite
	Media  []Media
}

// Media is one m-section. Session-level attributes are repeated in each.
type Media struct {
	Kind     string // audio, video, application
	Protocol string // UDP/TLS/RTP/SAVPF, UDP/DTLS/SCTP
	Mid      string
	Rejected bool // port 0 without bundle-only
	Sends    bool // whoever wrote the SDP sends media on it
	Receives bool

	Ufrag, Pwd  string
	Fingerprint string           // "sha-256 AA:BB..."
	Setup       string           // actpass, active, passive
	Candidates  []netip.AddrPort // UDP candidates with an IP address; names are never resolved

	Codecs     []Codec
	Extensions []Extension
	Sources    []Source
	RIDs       []string // of the direction "send", in the order of a=simulcast
	// RIDsReceived turns RIDs into those that the writer receives.
	RIDsReceived bool
	MSID         string // "<stream id> <track id>"
	CName        string
	// MaxMessage is the longest data channel message in bytes that the writer accepts, 0 for any (RFC 8841 section 6). A
	// section of the kind application has this and the transport's attributes only.
	MaxMessage uint32
}

// DefaultMaxMessage is what a section without a=max-message-size accepts (RFC 8841 section 6.1).
const DefaultMaxMessage = 65536

// Codec is one payload type with its repair format.
type Codec struct {
	PT        uint8
	Name      string // as in a=rtpmap: "VP8", "opus"
	Clock     uint32
	Channels  int // 0 when the rtpmap has none
	Parameter string
	Feedback  []string
	RTX       uint8 // payload type of its rtx format, 0 for none (0 is PCMU's)
}

// Extension is one RTP header extension.
type Extension struct {
	ID  uint8
	URI string
}

// Source is one SSRC with the SSRC of its retransmissions, 0 for none.
type Source struct{ SSRC, RTX uint32 }

// Is reports whether c is the codec of that name; names are compared as SDP does, without case (RFC 4855 section 3).
func (c Codec) Is(name string) bool { return strings.EqualFold(c.Name, name) }

// ExtensionID is the id that uri was given, 0 for none.
func (m *Media) ExtensionID(uri string) uint8 {
	for _, e := range m.Extensions {
		if e.URI == uri {
			return e.ID
		}
	}
	return 0
}

// CodecByPT finds a codec by payload type.
func (m *Media) CodecByPT(pt uint8) (Codec, bool) {
	for _, c := range m.Codecs {
		if c.PT == pt {
			return c, true
		}
	}
	return Codec{}, false
}

// CodecByName finds the first codec of that name.
func (m *Media) CodecByName(name string) (Codec, bool) {
	for _, c := range m.Codecs {
		if c.Is(name) {
			return c, true
		}
	}
	return Codec{}, false
}

// Parse reads the SDP of an endpoint. Lines may end with LF alone, yet the last one must end. Every m-section that is not
// rejected must have ICE credentials, its own or the session's.
func Parse(text string) (*Description, error) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, ErrLineEnd
	}
	if i := stray(text); i >= 0 {
		return nil, fmt.Errorf("%w: byte %d is a carriage return without a line feed, or zero", ErrSyntax, i)
	}
	var raw pion.SessionDescription
	if err := raw.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if len(raw.MediaDescriptions) > maxMedia {
		return nil, fmt.Errorf("%w: more than %d m-lines", ErrSyntax, maxMedia)
	}
	d := &Description{}
	_, d.Lite = raw.Attribute("ice-lite")
	for _, a := range raw.Attributes {
		if a.Key != "group" || len(d.Bundle) > 0 {
			continue
		}
		if group := strings.Fields(a.Value); len(group) > 0 && group[0] == "BUNDLE" {
			d.Bundle = owned(group[1:])
		}
	}
	seen := map[string]bool{}
	for i, m := range raw.MediaDescriptions {
		media, err := parseMedia(&raw, m)
		if err != nil {
			return nil, fmt.Errorf("%w: m-line %d: %w", ErrSyntax, i, err)
		}
		if strings.ContainsAny(media.Mid, " \t") {
			return nil, fmt.Errorf("%w: mid %q is no token", ErrSyntax, media.Mid) // RFC 5888 section 4; BUNDLE lists it among others
		}
		if media.Mid == "" {
			media.Mid = strconv.Itoa(i) // an endpoint without BUNDLE need not name its sections
		}
		if seen[media.Mid] {
			return nil, fmt.Errorf("%w: mid %q stands twice", ErrSyntax, media.Mid)
		}
		seen[media.Mid] = true
		if !media.Rejected && media.Ufrag == "" {
			return nil, ErrNoUfrag
		}
		d.Media = append(d.Media, media)
	}
	if len(d.Media) == 0 {
		return nil, fmt.Errorf("%w: no m-line", ErrSyntax)
	}
	return d, nil
}

// stray finds a byte that no line may contain (RFC 8866 section 9, byte-string), -1 for none. What is read of a line is written
// into the SFU's SDP, where a carriage return could end it.
func stray(text string) int {
	for i := range len(text) {
		switch {
		case text[i] == 0, text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			return i
		}
	}
	return -1
}

func parseMedia(s *pion.SessionDescription, m *pion.MediaDescription) (Media, error) {
	get := func(key string) string {
		v, ok := m.Attribute(key)
		if !ok {
			v, _ = s.Attribute(key)
		}
		return own(v)
	}
	out := Media{
		Kind:        own(m.MediaName.Media),
		Protocol:    own(strings.Join(m.MediaName.Protos, "/")),
		Mid:         get("mid"),
		Ufrag:       get("ice-ufrag"),
		Pwd:         get("ice-pwd"),
		Fingerprint: get("fingerprint"),
		Setup:       get("setup"),
	}
	_, bundleOnly := m.Attribute("bundle-only")
	out.Rejected = m.MediaName.Port.Value == 0 && !bundleOnly
	out.Sends, out.Receives = direction(s, m)
	for _, a := range m.Attributes {
		if addr, ok := candidate(a); ok && len(out.Candidates) < maxCandidates {
			out.Candidates = append(out.Candidates, addr)
		}
	}
	if out.Kind == "application" {
		out.Sends, out.Receives = false, false // a direction has no meaning there (RFC 8841 section 5.2)
		out.MaxMessage = maxMessage(m)
		return out, nil
	}
	p := mediaParser{out: &out, byPT: map[uint8]int{}, rtx: map[uint32]uint32{}}
	if err := p.formats(m.MediaName.Formats); err != nil {
		return out, err
	}
	for _, a := range m.Attributes {
		if len(a.Value) > maxAttribute {
			return out, fmt.Errorf("a=%s has %d characters", own(a.Key), len(a.Value))
		}
		if err := p.attribute(a.Key, a.Value); err != nil {
			return out, err
		}
	}
	p.finish()
	return out, nil
}

// maxMessage reads a=max-message-size; a value that is no number counts as absent.
func maxMessage(m *pion.MediaDescription) uint32 {
	value, ok := m.Attribute("max-message-size")
	if !ok {
		return DefaultMaxMessage
	}
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return DefaultMaxMessage
	}
	return uint32(min(n, math.MaxUint32))
}

// candidate reads the address of a UDP candidate (RFC 8839 section 5.1).
func candidate(a pion.Attribute) (netip.AddrPort, bool) {
	f := strings.Fields(a.Value)
	if a.Key != "candidate" || len(f) < 8 || f[1] != "1" || !strings.EqualFold(f[2], "udp") {
		return netip.AddrPort{}, false
	}
	addr, err1 := netip.ParseAddr(f[4])
	port, err2 := strconv.ParseUint(f[5], 10, 16)
	if err1 != nil || err2 != nil || port == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), true
}

func owned(list []string) []string {
	for i := range list {
		list[i] = own(list[i])
	}
	return list
}

// own copies a piece of the text, which must not be kept whole for the sake of its pieces.
func own(s string) string { return strings.Clone(s) }

// addFeedback keeps the values that are known, once each (contract 3.1).
func (c *Codec) addFeedback(value string) {
	for _, known := range [...]string{"transport-cc", "goog-remb", "nack", "nack pli", "ccm fir"} {
		if value == known && !slices.Contains(c.Feedback, known) {
			c.Feedback = append(c.Feedback, known)
		}
	}
}

func direction(s *pion.SessionDescription, m *pion.MediaDescription) (sends, receives bool) {
	for _, list := range [][]pion.Attribute{m.Attributes, s.Attributes} {
		for _, a := range list {
			switch a.Key {
			case "sendrecv":
				return true, true
			case "sendonly":
				return true, false
			case "recvonly":
				return false, true
			case "inactive":
				return false, false
			}
		}
	}
	return true, true // RFC 8866 section 6.7: sendrecv when nothing is said
}

type mediaParser struct {
	out  *Media
	byPT map[uint8]int // index in formats
	fmts []Codec
	rtx  map[uint32]uint32 // FID groups: media SSRC to rtx SSRC
	ssrc []uint32
}

// static are the formats that need no rtpmap (RFC 3551 table 4).
func static(pt uint8) (Codec, bool) {
	switch pt {
	case 0:
		return Codec{PT: 0, Name: "PCMU", Clock: 8000}, true
	case 8:
		return Codec{PT: 8, Name: "PCMA", Clock: 8000}, true
	}
	return Codec{PT: pt}, false
}

func (p *mediaParser) formats(list []string) error {
	for _, f := range list {
		pt, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			return fmt.Errorf("payload type %q", f)
		}
		if _, twice := p.byPT[uint8(pt)]; twice {
			continue
		}
		c, _ := static(uint8(pt))
		p.byPT[uint8(pt)] = len(p.fmts)
		p.fmts = append(p.fmts, c)
	}
	return nil
}

func (p *mediaParser) attribute(key, value string) error {
	switch key {
	case "rtpmap":
		return p.rtpmap(value)
	case "fmtp":
		if c, rest := p.format(value); c != nil {
			c.Parameter = own(rest)
		}
	case "rtcp-fb":
		p.feedback(value)
	case "extmap":
		return p.extmap(value)
	case "ssrc":
		return p.source(value)
	case "ssrc-group":
		p.group(value)
	case "rid":
		if f := strings.Fields(value); len(f) >= 2 && f[1] == "send" {
			if len(p.out.RIDs) < maxRIDs {
				p.out.RIDs = append(p.out.RIDs, own(f[0]))
			}
		}
	case "msid":
		p.out.MSID = own(value)
	}
	return nil
}

// format splits "<pt> <rest>" and finds the payload type's codec, nil when the m-line does not list it.
func (p *mediaParser) format(value string) (*Codec, string) {
	head, rest, _ := strings.Cut(value, " ")
	pt, err := strconv.ParseUint(head, 10, 7)
	if err != nil {
		return nil, ""
	}
	i, ok := p.byPT[uint8(pt)]
	if !ok {
		return nil, ""
	}
	return &p.fmts[i], strings.TrimSpace(rest)
}

func (p *mediaParser) rtpmap(value string) error {
	c, rest := p.format(value)
	if c == nil {
		return nil
	}
	parts := strings.Split(rest, "/")
	if len(parts) < 2 {
		return fmt.Errorf("rtpmap %q", value)
	}
	clock, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil || clock == 0 {
		return fmt.Errorf("rtpmap %q", value)
	}
	c.Name, c.Clock = own(parts[0]), uint32(clock)
	if len(parts) > 2 {
		if c.Channels, err = strconv.Atoi(parts[2]); err != nil {
			return fmt.Errorf("rtpmap %q", value)
		}
	}
	return nil
}

func (p *mediaParser) feedback(value string) {
	if rest, ok := strings.CutPrefix(value, "* "); ok {
		for i := range p.fmts {
			p.fmts[i].addFeedback(rest)
		}
		return
	}
	if c, rest := p.format(value); c != nil {
		c.addFeedback(rest)
	}
}

// extmap: RFC 8285 section 5, "<id>[/<direction>] <uri>". Ids of the two-byte form are legal and of no use to us.
func (p *mediaParser) extmap(value string) error {
	f := strings.Fields(value)
	if len(f) < 2 {
		return fmt.Errorf("extmap %q", value)
	}
	head, _, _ := strings.Cut(f[0], "/")
	id, err := strconv.ParseUint(head, 10, 16)
	if err != nil {
		return fmt.Errorf("extmap %q", value)
	}
	if id >= 1 && id <= 14 && len(p.out.Extensions) < maxExtension {
		p.out.Extensions = append(p.out.Extensions, Extension{ID: uint8(id), URI: own(f[1])})
	}
	return nil
}

func (p *mediaParser) source(value string) error {
	head, rest, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(head, 10, 32)
	if err != nil {
		return fmt.Errorf("ssrc %q", value)
	}
	if v, ok := strings.CutPrefix(rest, "cname:"); ok {
		p.out.CName = own(v)
	}
	for _, s := range p.ssrc {
		if s == uint32(n) {
			return nil
		}
	}
	if len(p.ssrc) < maxSources {
		p.ssrc = append(p.ssrc, uint32(n))
	}
	return nil
}

func (p *mediaParser) group(value string) {
	f := strings.Fields(value)
	if len(f) != 3 || f[0] != "FID" {
		return
	}
	media, err1 := strconv.ParseUint(f[1], 10, 32)
	rtx, err2 := strconv.ParseUint(f[2], 10, 32)
	if err1 == nil && err2 == nil && len(p.rtx) < maxSources {
		p.rtx[uint32(media)] = uint32(rtx)
	}
}

// finish joins rtx formats and SSRCs with what they repair, and drops formats without a name.
func (p *mediaParser) finish() {
	repair := map[uint8]uint8{}
	for _, c := range p.fmts {
		if !c.Is("rtx") {
			continue
		}
		for _, field := range strings.Split(c.Parameter, ";") { // "apt=96;rtx-time=3000" (RFC 4588 section 8.1)
			apt, ok := strings.CutPrefix(strings.TrimSpace(field), "apt=")
			if n, err := strconv.ParseUint(apt, 10, 7); ok && err == nil {
				repair[uint8(n)] = c.PT
			}
		}
	}
	for _, c := range p.fmts {
		if c.Name == "" || c.Is("rtx") {
			continue
		}
		c.RTX = repair[c.PT]
		p.out.Codecs = append(p.out.Codecs, c)
	}
	repairs := map[uint32]bool{}
	for _, rtx := range p.rtx {
		repairs[rtx] = true
	}
	for _, s := range p.ssrc {
		if !repairs[s] {
			p.out.Sources = append(p.out.Sources, Source{SSRC: s, RTX: p.rtx[s]})
		}
	}
}
