package session

import (
	"slices"
	"time"
)

// AdapterSnapshot is one adapter. SessionID is that of its track: the publisher's of a remote one, the new session of a local
// one. The endpoint is without the token.
type AdapterSnapshot struct {
	ID         string    `json:"adapterId"`
	Location   string    `json:"location"`
	SessionID  string    `json:"sessionId,omitempty"` // absent while a local one dials
	TrackName  string    `json:"trackName"`
	Codec      string    `json:"codec"` // pcm or jpeg
	Endpoint   string    `json:"endpoint"`
	State      string    `json:"state"` // dialling, open, retrying, closed
	Since      time.Time `json:"since"` // of the state
	Created    time.Time `json:"created"`
	RetryLeft  string    `json:"retryLeft,omitempty"` // a duration such as 12.3s, while it is retrying
	Frames     uint64    `json:"frames"`              // messages, sent or received
	Bytes      uint64    `json:"bytes"`               // of their payloads
	Dropped    uint64    `json:"dropped"`             // packets or messages that were slow, late or damaged
	Reconnects uint64    `json:"reconnects"`
	Buffered   string    `json:"buffered,omitempty"` // of PCM that waits to be played
	LastError  string    `json:"lastError,omitempty"`
	Ended      string    `json:"endedBecause,omitempty"` // once it is closed
}

// adapterSnapshots are the adapters of an app, oldest first, and then those that ended last.
func (r *Registry) adapterSnapshots(app *App, now time.Time) []AdapterSnapshot {
	r.mu.Lock()
	var entries []*adapterEntry
	for _, e := range app.adapters {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b *adapterEntry) int { return a.number - b.number })
	ended := slices.Clone(app.closed[max(0, len(app.closed)-shownClosedAdapters):])
	r.mu.Unlock()
	list := make([]AdapterSnapshot, 0, len(entries)+len(ended))
	for _, e := range entries {
		list = append(list, e.snapshot(r, now))
	}
	return append(list, ended...)
}

func (e *adapterEntry) snapshot(r *Registry, now time.Time) AdapterSnapshot {
	info := e.adapter.Info()
	out := AdapterSnapshot{
		ID: e.id, Location: e.item.Location, SessionID: e.sessionID(r), TrackName: e.item.TrackName,
		Codec: e.item.OutputCodec, Endpoint: info.Endpoint, State: info.State, Since: info.Since, Created: e.made,
		Frames: info.Messages, Bytes: info.Bytes, Dropped: info.Dropped, Reconnects: info.Reconnects, LastError: info.LastError,
		Ended: info.Ended,
	}
	if e.ingest != nil {
		out.Codec = e.item.InputCodec
	}
	if !info.RetryUntil.IsZero() {
		out.RetryLeft = info.RetryUntil.Sub(now).Round(time.Millisecond).String()
	}
	if info.Buffered > 0 {
		out.Buffered = info.Buffered.Round(time.Millisecond).String()
	}
	return out
}
