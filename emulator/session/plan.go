package session

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// The plans below are pure: request and look-ups in, plan and failed items out.

// push is what a push request comes to. items are the request's, with those that autoDiscover found behind them; fail[i]
// is set where items[i] failed.
type push struct {
	items         []wire.TrackObject
	found         map[string]sfu.Kind // the mids that autoDiscover found
	publish       []string            // mids for the SFU to publish
	bidirectional []string            // mids on which the SFU sends as well
	offer         []int               // indexes of items for which the SFU offers a section
	fail          []*wire.Error
}

// pushView is what the plan of a push looks at: the client's sections, the names that are live on the session, the mids
// that carry an open publication, and those that ever had a track.
type pushView struct {
	sections             map[string]sfu.Media
	names, reuse, former map[string]bool
}

// planPush checks every item against sections and names; fail has the items that are to fail whatever they are. A mid that
// carries an open publication gets the new name and needs no publishing (contract 10 Q8). Without an offer of the client
// an item names a section of an earlier one by its mid, or else the SFU offers it one (contract 1.3 E).
func planPush(in *wire.TracksRequest, offer description, view pushView, fail []*wire.Error) push {
	p := push{items: slices.Clone(in.Tracks), fail: fail}
	if in.AutoDiscover {
		p.discover(offer, view.former)
	}
	names, mids := map[string]bool{}, map[string]bool{}
	maps.Copy(names, view.names)
	for i, item := range p.items {
		if p.fail[i] != nil {
			continue
		}
		section, present := view.sections[item.Mid]
		switch {
		case names[item.TrackName]:
			p.fail[i] = wire.Refuse(wire.TrackRepeated, "tracks[%d]: the name %q is taken on this session; "+
				"close the other track or choose another name", i, item.TrackName)
		case in.SessionDescription == nil && !present && item.Kind != "":
			names[item.TrackName] = true
			p.offer = append(p.offer, i)
		case !present:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: mid %q is not in the offer; "+
				"read transceiver.mid after setLocalDescription", i, item.Mid)
		case section.Rejected || !section.Sends || section.Kind == sfu.KindData:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: mid %q is a rejected, non-sending or data section; "+
				"offer it as sendonly or sendrecv", i, item.Mid)
		case section.Unsupported:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: the SFU forwards no codec that the offer has for mid %q; "+
				"offer Opus or G.711, or H.264, H.265, VP8, VP9 or AV1", i, item.Mid)
		case mids[item.Mid]:
			p.fail[i] = wire.Refuse(wire.TrackNotSending, "tracks[%d]: mid %q is named by an earlier item; name it once", i, item.Mid)
		default:
			names[item.TrackName], mids[item.Mid] = true, true
			if !view.reuse[item.Mid] {
				p.publish = append(p.publish, item.Mid)
			}
			if item.BidirectionalMediaStream {
				p.bidirectional = append(p.bidirectional, item.Mid)
			}
		}
	}
	return p
}

// discover adds an item for every section that sends, is new and is not among the items, in the offer's order.
func (p *push) discover(offer description, former map[string]bool) {
	p.found = map[string]sfu.Kind{}
	named := map[string]bool{}
	for _, item := range p.items {
		named[item.Mid] = true
	}
	for _, media := range offer.Media() {
		if media.Rejected || !media.Sends || media.Kind == sfu.KindData || former[media.Mid] || named[media.Mid] {
			continue
		}
		p.found[media.Mid] = media.Kind
		p.items = append(p.items, wire.TrackObject{Location: wire.LocationLocal, Mid: media.Mid, TrackName: uuid.NewString()})
		p.fail = append(p.fail, nil)
	}
}

// pull is what a pull request comes to: items[i] is the outcome of the request's item i.
type pull struct{ items []pullItem }

type pullItem struct {
	wire.TrackObject
	source publication // nil where fail says why not
	want   sfu.Selection
	into   string // "#name" resolved: the session's own mid to pull into
	mid    string // where it is received in the end
	sub    subscription
	fail   *wire.Error

	absent bool            // the wanted layer is none of the publication's, and nothing may stand in for it
	sends  bool            // the source was sending when the wait for media began
	heard  <-chan struct{} // closed once it sends; nil where absent
}

// pullView is what the plan of a pull looks at.
type pullView struct {
	find   func(sessionID, trackName string) publication // nil for none
	absent func(sessionID, trackName string) string      // why there is none, for people
	own    func(name string) string                      // the mid of a track that the session itself publishes, "" for none
}

// planPull looks up every item. An unknown session, a dead one and an unknown name look alike (contract 1.3, 2.2), but for
// the explanation.
func planPull(items []wire.TrackObject, fail []*wire.Error, view pullView) pull {
	p := pull{items: make([]pullItem, len(items))}
	for i, item := range items {
		out := pullItem{TrackObject: item, want: selectionOf(item.Simulcast), fail: fail[i]}
		name, byName := item.MidByName()
		if byName {
			out.into = view.own(name)
		}
		switch out.source = view.find(item.SessionID, item.TrackName); {
		case out.fail != nil:
		case out.source == nil:
			out.fail = refuseNotFound(i, view.absent(item.SessionID, item.TrackName))
		case byName && out.into == "":
			out.fail = wire.Refuse(wire.TrackNotFound, "tracks[%d]: mid %q names no track that this session publishes; push one "+
				"with bidirectionalMediaStream first", i, item.Mid).Under("TRK-11")
		default:
			out.absent = lacks(out.source, out.want)
		}
		if out.fail != nil {
			out.source = nil
		}
		p.items[i] = out
	}
	return p
}

// selectionOf translates a choice of layers; absent is the zero value, one steady layer.
func selectionOf(s *wire.Simulcast) sfu.Selection {
	if s == nil {
		return sfu.Selection{}
	}
	want := sfu.Selection{
		FallOnBandwidth: s.PriorityOrdering == wire.OrderAsciibetical,
		FallOnMissing:   s.RidNotAvailable == wire.OrderAsciibetical,
	}
	if s.PreferredRid != nil {
		want.PreferredRID = *s.PreferredRid
	}
	return want
}

// lacks reports whether a choice names a layer that the publication never announced, and nothing stands in for it: nothing
// would ever be sent (contract 3.5). Without simulcast there is no layer to choose.
func lacks(source publication, want sfu.Selection) bool {
	rids := source.RIDs()
	return len(rids) > 0 && want.PreferredRID != "" && !want.FallOnMissing && !slices.Contains(rids, want.PreferredRID)
}

// place gives the good items of a pull with the client's offer their sections: the one that they name, or the first free
// one of their kind (contract 1.3 D, 10 Q17). taken are the mids that carry a pull already.
func (p pull) place(offer description, taken map[string]bool) {
	used := map[string]bool{}
	maps.Copy(used, taken)
	for _, item := range p.items {
		if item.fail == nil && item.into == "" {
			used[item.Mid] = true // nobody else's, wherever it stands in the list
		}
	}
	for i := range p.items {
		item := &p.items[i]
		if item.fail != nil || item.into != "" {
			continue
		}
		for _, media := range offer.Media() {
			if media.Rejected || !media.Receives {
				continue
			}
			if item.Mid != "" && media.Mid == item.Mid || item.Mid == "" && !used[media.Mid] && media.Kind == item.source.Kind() {
				item.mid = media.Mid
				used[media.Mid] = true
				if media.Kind != item.source.Kind() {
					item.fail = wire.Refuse(wire.TrackKindDiffers, "tracks[%d]: %q is %s and mid %q is %s; name a section of "+
						"the track's kind", i, item.TrackName, item.source.Kind(), media.Mid, media.Kind)
				}
				break
			}
		}
		if item.mid == "" {
			item.fail = wire.Refuse(wire.TrackNoReceiver, "tracks[%d]: the offer has no free section that receives %s%s; add a "+
				"recvonly transceiver for each track", i, item.source.Kind(), quotedMid(item.Mid))
		}
	}
}

func quotedMid(mid string) string {
	if mid == "" {
		return ""
	}
	return " with mid \"" + mid + "\""
}

// wanted are the good items that need a section, in order, with their indexes.
func (p pull) wanted() (pulls []wantedPull, at []int) {
	for i, item := range p.items {
		if item.fail == nil && item.into == "" {
			pulls = append(pulls, wantedPull{source: item.source, want: item.want, mid: item.mid})
			at = append(at, i)
		}
	}
	return pulls, at
}

func refuseNotFound(i int, why string) *wire.Error {
	return wire.Refuse(wire.TrackNotFound, "tracks[%d]: %s", i, why)
}

// refuseEmpty is the failure of an item whose publisher sent nothing within the wait: publisher is one of the constants
// beside Registry.publisher, silent how long no packet has come.
func refuseEmpty(i int, item pullItem, publisher, silent string) *wire.Error {
	if item.absent {
		return wire.Refuse(wire.TrackEmpty, "tracks[%d]: %q of session %q has no layer %q, only %v, and ridNotAvailable is none; "+
			"prefer one of those or set ridNotAvailable to asciibetical",
			i, item.TrackName, item.SessionID, item.want.PreferredRID, item.source.RIDs()).Under("TRK-4")
	}
	if publisher != publisherConnected {
		return wire.Refuse(wire.TrackEmpty, "tracks[%d]: publisher %s of %q is not connected; wait for its connectionState to be "+
			"connected before announcing the track", i, item.SessionID, item.TrackName).Under("TRK-2")
	}
	return wire.Refuse(wire.TrackEmpty, "tracks[%d]: publisher %s is connected but has sent no packet on %q %s; wait for "+
		"outbound bytes before announcing the track", i, item.SessionID, item.TrackName, silent)
}

// closing is what a close request comes to. known holds open and closed mids alike: a client that stops the transceiver
// of a track which is closed already must find it closed in the answer (contract 1.6).
type closing struct {
	open    []string
	known   []string
	results []wire.TrackResult
	fail    []*wire.Error
}

// planClose tells open tracks from closed and unknown ones. openMids has an entry for each mid of the session; fail has the
// items that are to fail whatever they are.
func planClose(items []wire.CloseTrack, openMids map[string]bool, fail []*wire.Error) closing {
	c := closing{fail: fail}
	seen := map[string]bool{}
	for i, item := range items {
		if fail[i] != nil {
			c.results = append(c.results, wire.TrackResult{Mid: item.Mid}.Fail(fail[i]))
			continue
		}
		open, exists := openMids[item.Mid]
		first := !seen[item.Mid]
		seen[item.Mid] = true
		if exists && first {
			c.known = append(c.known, item.Mid)
		}
		result := wire.TrackResult{Mid: item.Mid}
		if open && first {
			c.open = append(c.open, item.Mid)
		} else {
			c.fail[i] = wire.Refuse(wire.TrackNotOpen, "tracks[%d]: mid %q has no open track on this session; it is closed, or "+
				"never had one", i, item.Mid)
			result = result.Fail(c.fail[i])
		}
		c.results = append(c.results, result)
	}
	return c
}
