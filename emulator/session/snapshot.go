package session

import (
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// RegistrySnapshot is the whole state at one moment, for /_emu/state. Lists are in the order of ids, or of coming into being. Every
// time in it is one on the clock of the rules, also that of what happens in real time, such as the coming of a packet.
type RegistrySnapshot struct {
	Now      time.Time     `json:"now"`
	Contract string        `json:"contract"`
	Apps     []AppSnapshot `json:"apps"`
}

// AppSnapshot is one app.
type AppSnapshot struct {
	ID       string            `json:"appId"`
	Seeded   bool              `json:"seeded"`
	Sessions []Snapshot        `json:"sessions"`
	Adapters []AdapterSnapshot `json:"adapters"` // oldest first, and behind them the last that have ended
}

// Snapshot is one session. Transport and Signalling are the states of contract 2.1.
type Snapshot struct {
	ID         string             `json:"sessionId"`
	Created    time.Time          `json:"created"`
	ThirdParty bool               `json:"thirdparty"`
	AdapterID  string             `json:"adapterId,omitempty"` // of the adapter whose track the session publishes
	Transport  string             `json:"transport"`
	Signalling string             `json:"signalling"`
	Peer       *TransportSnapshot `json:"peer,omitempty"` // absent before the first exchange
	Request    *RequestSnapshot   `json:"request,omitempty"`
	Tracks     []TrackSnapshot    `json:"tracks"`
	Channels   []ChannelSnapshot  `json:"dataChannels"`
	Timers     []TimerSnapshot    `json:"timers"`
}

// TransportSnapshot is what package sfu tells of a transport. Estimate is bits a second.
type TransportSnapshot struct {
	State    string     `json:"state"`
	Protocol string     `json:"protocol,omitempty"`
	Local    string     `json:"local,omitempty"`
	Remote   string     `json:"remote,omitempty"`
	LastSeen *time.Time `json:"lastSeen,omitempty"`
	Estimate uint64     `json:"estimate"`
	Fixed    bool       `json:"estimateFixed"`
}

// RequestSnapshot is the request whose turn it is.
type RequestSnapshot struct {
	Operation string    `json:"operation"`
	Since     time.Time `json:"since"`
}

// TrackSnapshot is one entry of a session's list. Layers and PulledBy belong to local tracks, the last seven fields
// to pulled ones.
type TrackSnapshot struct {
	Location  string          `json:"location"`
	Mid       string          `json:"mid"`
	TrackName string          `json:"trackName"`
	SessionID string          `json:"sessionId,omitempty"`
	Kind      string          `json:"kind"`
	Status    string          `json:"status"`
	Collected bool            `json:"collected,omitempty"` // inactive because it was silent
	Codec     string          `json:"codec,omitempty"`
	Packets   uint64          `json:"packets"` // received of a local track, sent of a pulled one
	Layers    []LayerSnapshot `json:"layers,omitempty"`
	PulledBy  []PullSnapshot  `json:"pulledBy,omitempty"`

	Simulcast *wire.Simulcast `json:"simulcast,omitempty"`
	Sending   bool            `json:"sending,omitempty"`
	Forwarded string          `json:"forwardedRid,omitempty"`
	Wanted    string          `json:"wantedRid,omitempty"`
	Octets    uint32          `json:"octets,omitempty"`
	Bitrate   uint64          `json:"bitrate,omitempty"` // bits a second of payload
}

// LayerSnapshot is one incoming stream; Bitrate is bits a second.
type LayerSnapshot struct {
	RID        string     `json:"rid,omitempty"`
	SSRC       uint32     `json:"ssrc"`
	Bitrate    uint64     `json:"bitrate"`
	Packets    uint64     `json:"packets"`
	LastPacket *time.Time `json:"lastPacket,omitempty"`
	Alive      bool       `json:"alive"`
}

// PullSnapshot names who pulls a local track.
type PullSnapshot struct {
	SessionID string `json:"sessionId"`
	Mid       string `json:"mid"`
}

// ChannelSnapshot is one data channel of a session. Counts are messages, buffered is bytes; the policy is that of this
// session's end. Received, tooLong, notHeard and subscribers belong to local channels, the last four fields to remote ones.
type ChannelSnapshot struct {
	Location          string `json:"location"`
	DataChannelName   string `json:"dataChannelName"`
	SessionID         string `json:"sessionId,omitempty"`
	ID                int    `json:"id"`
	Status            string `json:"status"`
	Ordered           bool   `json:"ordered"`
	MaxRetransmits    *int   `json:"maxRetransmits,omitempty"`
	MaxPacketLifeTime *int   `json:"maxPacketLifeTime,omitempty"` // ms
	Sent              uint64 `json:"sent"`                        // to this session's endpoint
	Queued            int    `json:"queued"`
	Buffered          int    `json:"buffered"`
	Dropped           uint64 `json:"dropped"`

	Received    uint64 `json:"received,omitempty"`
	TooLong     uint64 `json:"tooLong,omitempty"`
	NotHeard    uint64 `json:"notHeard,omitempty"` // of subscribers that may not reply
	Subscribers int    `json:"subscribers,omitempty"`

	WaitsForAck bool   `json:"waitsForAck,omitempty"`
	Kept        int    `json:"kept,omitempty"`   // messages that wait for the acknowledgement
	Missed      uint64 `json:"missed,omitempty"` // messages that fell out of these
	CanReply    bool   `json:"canReply,omitempty"`
}

// TimerSnapshot is a rule that waits. Rule is its name in RuleTable, Mid the track's and Channel the data channel's id where it
// is about one.
type TimerSnapshot struct {
	Rule    string    `json:"rule"`
	Mid     string    `json:"mid,omitempty"`
	Channel int       `json:"channel,omitempty"`
	Due     time.Time `json:"due"`
	Left    string    `json:"left"` // a duration such as 12.3s
}

// ResetReport is what a Reset closed.
type ResetReport struct {
	Apps     []string        `json:"apps"` // those that dev mode had made and that are gone
	Sessions []ClosedSession `json:"sessions"`
	Adapters int             `json:"adapters"` // those that were open
}

// ClosedSession is a session that a Reset ended, with the numbers of its active tracks and data channels.
type ClosedSession struct {
	AppID     string `json:"appId"`
	SessionID string `json:"sessionId"`
	Tracks    int    `json:"tracks"`
	Channels  int    `json:"dataChannels"`
}

// Snapshot reads everything without stopping anything: neighbouring values may be of slightly different moments.
func (r *Registry) Snapshot() RegistrySnapshot {
	snap := RegistrySnapshot{Now: r.clock.Now(), Contract: r.contract.String(), Apps: []AppSnapshot{}}
	pulls := map[publication][]PullSnapshot{}
	for _, app := range r.allApps() {
		for _, s := range app.sessions {
			s.notePulls(pulls)
		}
	}
	for _, app := range r.allApps() {
		out := AppSnapshot{ID: app.app.id, Seeded: app.app.seeded, Sessions: []Snapshot{}}
		for _, s := range app.sessions {
			out.Sessions = append(out.Sessions, s.snapshot(snap.Now, pulls))
		}
		out.Adapters = r.adapterSnapshots(app.app, snap.Now)
		snap.Apps = append(snap.Apps, out)
	}
	return snap
}

// appSessions is an app with its sessions when they were listed, oldest first.
type appSessions struct {
	app      *App
	sessions []*Session
}

func (r *Registry) allApps() []appSessions {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []appSessions
	for _, app := range r.apps {
		one := appSessions{app: app}
		for _, entry := range app.sessions {
			one.sessions = append(one.sessions, entry.session)
		}
		slices.SortFunc(one.sessions, func(a, b *Session) int {
			if c := a.created.Compare(b.created); c != 0 {
				return c
			}
			return strings.Compare(a.id, b.id)
		})
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b appSessions) int { return strings.Compare(a.app.id, b.app.id) })
	return all
}

func (s *Session) notePulls(pulls map[publication][]PullSnapshot) {
	for _, t := range s.list() {
		if t.remote && t.life == lifeOpen {
			pulls[t.source] = append(pulls[t.source], PullSnapshot{s.id, t.mid})
		}
	}
}

func (s *Session) snapshot(now time.Time, pulls map[publication][]PullSnapshot) Snapshot {
	transport, signalling, _ := s.situation()
	out := Snapshot{
		ID: s.id, Created: s.created, ThirdParty: s.thirdParty, AdapterID: s.adapterID,
		Transport: transport.String(), Signalling: signalling.String(),
		Tracks: []TrackSnapshot{}, Channels: []ChannelSnapshot{}, Timers: []TimerSnapshot{},
	}
	if p := s.currentPeer(); p != nil {
		out.Peer = transportSnapshot(p, s.reg.clock)
	}
	s.mu.Lock()
	if s.request.operation != "" {
		out.Request = &RequestSnapshot{s.request.operation, s.request.since}
	}
	s.mu.Unlock()
	for _, t := range s.list() {
		out.Tracks = append(out.Tracks, t.snapshot(pulls, s.reg.clock))
	}
	for _, c := range s.listChannels() {
		out.Channels = append(out.Channels, c.snapshot())
	}
	for _, d := range s.deadlines() {
		timer := TimerSnapshot{Rule: d.rule, Mid: d.mid, Due: d.due, Left: d.due.Sub(now).Round(time.Millisecond).String()}
		if d.channel != nil {
			timer.Channel = d.channel.id
		}
		out.Timers = append(out.Timers, timer)
	}
	return out
}

func (c listedChannel) snapshot() ChannelSnapshot {
	out := ChannelSnapshot{Location: wire.LocationLocal, DataChannelName: c.name, ID: c.id, Status: c.status()}
	if !c.remote {
		info := c.pub.Info()
		out.delivery(info.Policy, info.LegInfo)
		out.Received, out.TooLong, out.NotHeard, out.Subscribers = info.Messages, info.TooLong, info.Unheard, info.Receivers
		return out
	}
	info := c.sub.Info()
	out.delivery(info.Policy, info.LegInfo)
	out.Location, out.SessionID = wire.LocationRemote, c.publisher
	out.WaitsForAck, out.Kept, out.Missed, out.CanReply = info.Gated && c.live(), info.Kept, info.Missed, info.CanReply
	return out
}

func (c *ChannelSnapshot) delivery(policy sfu.Policy, leg sfu.LegInfo) {
	c.Ordered = !policy.Unordered
	if policy.MaxRetransmits != nil {
		limit := int(*policy.MaxRetransmits)
		c.MaxRetransmits = &limit
	}
	if policy.MaxLifetime != nil {
		limit := int(policy.MaxLifetime.Milliseconds())
		c.MaxPacketLifeTime = &limit
	}
	c.Sent, c.Queued, c.Buffered, c.Dropped = leg.Sent, leg.Queued, leg.Buffered, leg.Dropped
}

func transportSnapshot(p peer, on clock.Clock) *TransportSnapshot {
	info := p.Info()
	out := &TransportSnapshot{
		State: info.State.String(), Protocol: info.Protocol, LastSeen: shownAt(info.LastSeen, on),
		Estimate: info.Estimate, Fixed: info.Fixed,
	}
	if info.Local.IsValid() {
		out.Local = info.Local.String()
	}
	if info.Remote.IsValid() {
		out.Remote = info.Remote.String()
	}
	return out
}

// shownAt is what a clock showed at a moment of real time; nil for none.
func shownAt(moment time.Time, on clock.Clock) *time.Time {
	if moment.IsZero() {
		return nil
	}
	shown := on.At(moment)
	return &shown
}

func (t listed) snapshot(pulls map[publication][]PullSnapshot, on clock.Clock) TrackSnapshot {
	out := TrackSnapshot{
		Location: wire.LocationLocal, Mid: t.mid, TrackName: t.name, Kind: string(t.source.Kind()),
		Status: t.status(), Collected: t.life == lifeCollected,
	}
	info := t.source.Info()
	out.Codec = info.Codec
	if t.remote {
		out.Location, out.SessionID, out.Simulcast = wire.LocationRemote, t.publisher, t.simulcast
		sent := t.sub.Info()
		out.Packets, out.Octets = uint64(sent.Packets), sent.Octets
		out.Bitrate = sent.Bitrate
		out.Sending, out.Forwarded, out.Wanted = sent.Sending, sent.Forwarded, sent.Wanted
		return out
	}
	out.Packets, out.PulledBy = info.Packets, pulls[t.source]
	for _, l := range info.Layers {
		out.Layers = append(out.Layers, LayerSnapshot{l.RID, l.SSRC, l.Bitrate, l.Packets, shownAt(l.LastPacket, on), l.Alive})
	}
	return out
}

// Reset ends every session of one app, or of all where appID is empty, and forgets the apps that dev mode made. Requests
// in progress on them are answered with 410.
func (r *Registry) Reset(appID string) ResetReport {
	report := ResetReport{Apps: []string{}, Sessions: []ClosedSession{}}
	for _, app := range r.allApps() {
		if appID != "" && app.app.id != appID {
			continue
		}
		report.Adapters += r.endAdapters(app.app, Adapter.Close)
		for _, s := range app.sessions {
			active := 0
			for _, t := range s.list() {
				if t.status() == wire.StatusActive {
					active++
				}
			}
			channels := 0
			for _, c := range s.listChannels() {
				if c.status() != wire.StatusInactive {
					channels++
				}
			}
			r.drop(s, "reset")
			report.Sessions = append(report.Sessions, ClosedSession{app.app.id, s.id, active, channels})
		}
		if r.forget(app.app) {
			report.Apps = append(report.Apps, app.app.id)
		}
	}
	return report
}

// forget removes an app that dev mode made, unless it has got a session meanwhile.
func (r *Registry) forget(app *App) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if app.seeded || len(app.sessions) > 0 || len(app.adapters) > 0 || r.apps[app.id] != app {
		return false
	}
	delete(r.apps, app.id)
	return true
}
