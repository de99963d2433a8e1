package session

import (
	"strings"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// adapterItem is one adapter that a request asks for. The plan sets source or fail, carrying it out made or fail.
type adapterItem struct {
	wire.AdapterTrack
	source publication // of a remote one
	fail   *wire.Error
	made   *adapterEntry
}

// adapterLookups are what a plan may ask.
type adapterLookups struct {
	find      func(sessionID, trackName string) publication
	absent    func(sessionID, trackName string) string // why find finds nothing
	publisher func(sessionID string) string
	pictures  func(codec string) error
}

// planAdapters looks up the source of every remote item; fail has the items that are to fail whatever they are. It is pure.
func planAdapters(items []wire.AdapterTrack, fail []*wire.Error, look adapterLookups) []adapterItem {
	plan := make([]adapterItem, len(items))
	for i, item := range items {
		plan[i] = adapterItem{AdapterTrack: item, fail: fail[i]}
		if plan[i].fail == nil && item.Location == wire.LocationRemote {
			plan[i].source, plan[i].fail = look.source(i, item)
		}
	}
	return plan
}

// source finds what a remote adapter sends. It has to be sending: nothing is waited for (contract 5.1, recorded for a source
// without media; that it is not waited for is inferred).
func (look adapterLookups) source(i int, item wire.AdapterTrack) (publication, *wire.Error) {
	source := look.find(item.SessionID, item.TrackName)
	switch {
	case source == nil:
		return nil, wire.Refuse(wire.AdapterTrackNotFound, "tracks[%d]: %s", i, look.absent(item.SessionID, item.TrackName))
	case !sending(source):
		return nil, wire.Refuse(wire.AdapterTrackNotFound, "tracks[%d]: publisher %s of %q is %s and sends nothing on it at present; wait for "+
			"outbound bytes before making the adapter", i, item.SessionID, item.TrackName, look.publisher(item.SessionID)).Under("ADP-9")
	}
	return source, look.convertible(i, item, source.Kind(), source.Info().Codec)
}

// convertible says why a codec does not become the output: PCM needs Opus, JPEG a video codec that can be decoded here
// (contract 5.1, 5.3).
func (look adapterLookups) convertible(i int, item wire.AdapterTrack, kind sfu.Kind, codec string) *wire.Error {
	switch {
	case item.OutputCodec == wire.CodecPCM && !strings.EqualFold(codec, "opus"):
		return wire.Refuse(wire.AdapterCodecDiffers, "tracks[%d]: %q is %s (%s), and pcm is made of Opus alone; publish audio with Opus, "+
			"or take jpeg of video", i, item.TrackName, codec, kind)
	case item.OutputCodec == wire.CodecJPEG && kind != sfu.KindVideo:
		return wire.Refuse(wire.AdapterCodecDiffers, "tracks[%d]: %q is %s, and jpeg is made of video; use pcm", i, item.TrackName, kind)
	case item.OutputCodec == wire.CodecJPEG:
		if err := look.pictures(codec); err != nil {
			return wire.Refuse(wire.AdapterCodecDiffers, "tracks[%d]: %q is %s: %v", i, item.TrackName, codec, err).Under("ADP-10")
		}
	}
	return nil
}
