package emulator

import (
	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/stunserver"
)

// turnState is what the state shows of TURN.
type turnState struct {
	URLs        []string          `json:"urls"`
	Allocations []allocationState `json:"allocations"`
	Allocated   uint64            `json:"allocated"`   // since the start
	Connections int               `json:"connections"` // over TCP and TLS
	Refused     map[string]uint64 `json:"refused"`     // by reason
	ToPeers     trafficState      `json:"toPeers"`     // since the start
	FromPeers   trafficState      `json:"fromPeers"`
	Dropped     uint64            `json:"dropped"` // packets
}

type trafficState struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

type allocationState struct {
	Client         string `json:"client"`
	Transport      string `json:"transport"`
	Relay          string `json:"relay"`
	Since          string `json:"since"`
	Peers          int    `json:"peers"`
	ToPeersBytes   uint64 `json:"toPeersBytes"`
	FromPeersBytes uint64 `json:"fromPeersBytes"`
}

// turn is nil where there is no server.
func (z *zone) turn() *turnState {
	server := z.emulator.stun
	if server == nil {
		return nil
	}
	stats := server.Stats()
	state := &turnState{
		URLs: z.emulator.TURNURLs(), Allocations: []allocationState{}, Allocated: stats.Allocated, Connections: stats.Connections,
		Refused: stats.Refused,
		ToPeers: trafficState{stats.SentPackets, stats.SentBytes}, FromPeers: trafficState{stats.RecvPackets, stats.RecvBytes},
		Dropped: stats.Dropped,
	}
	if state.Refused == nil {
		state.Refused = map[string]uint64{}
	}
	for _, a := range stats.Allocations {
		state.Allocations = append(state.Allocations, describeAllocation(a, z.emulator.cfg.Clock))
	}
	return state
}

func describeAllocation(a stunserver.Allocation, on clock.Clock) allocationState {
	return allocationState{
		Client: a.Client.String(), Transport: a.Transport, Relay: a.Relay.String(), Since: on.At(a.Since).UTC().Format(timeFormat),
		Peers: a.Peers, ToPeersBytes: a.SentBytes, FromPeersBytes: a.RecvBytes,
	}
}
