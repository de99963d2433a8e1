package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callsemu/callsemu/scripts/internal/api"
	"github.com/callsemu/callsemu/scripts/internal/load"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

const (
	app      = "adapterload"
	patience = 60 * time.Second // for everything up to the first message
)

// options are the flags.
type options struct {
	load.Target
	egress, ingest, jpeg int
}

func main() { load.Main(app, run) }

func parse(args []string) (options, error) {
	var o options
	flags := o.Flags(app, 20*time.Second, 5*time.Minute)
	flags.IntVar(&o.egress, "egress", 20, "PCM egress adapters, up to 100")
	flags.IntVar(&o.ingest, "ingest", 20, "PCM ingest adapters, up to 100")
	flags.IntVar(&o.jpeg, "jpeg", 0, "JPEG adapters, up to 100")
	if err := o.Parse(flags, args); err != nil {
		return o, err
	}
	for name, n := range map[string]int{"egress": o.egress, "ingest": o.ingest, "jpeg": o.jpeg} {
		if n < 0 || n > 100 {
			return o, fmt.Errorf("-%s is %d; it lies within 0 and 100", name, n)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	start, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	session, peer, err := publish(start, o.URL)
	if err != nil {
		return err
	}
	defer func() { _ = peer.Close() }() // the process ends with it
	s, err := listen(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	adapters := s.adapters(o, session.ID)
	for _, a := range adapters {
		if err := ask(start, session, a); err != nil {
			return err
		}
	}
	return measure(ctx, o, s)
}

// publish connects a publisher of a tone, "mic", and a picture, "cam".
func publish(ctx context.Context, base string) (*api.Session, *sfutest.Peer, error) {
	session, err := api.New(ctx, base, app)
	if err != nil {
		return nil, nil, err
	}
	peer, err := sfutest.NewPeer(sfutest.Config{})
	if err != nil {
		return nil, nil, err
	}
	tone, err := sfutest.OpusTone(440, 1000)
	if err != nil {
		return nil, nil, err
	}
	publishers := map[string]*sfutest.Publisher{}
	for name, track := range map[string]sfutest.Track{"mic": {Codec: sfutest.Opus, Content: tone}, "cam": {Codec: sfutest.VP8, Content: sfutest.VP8Card()}} {
		sent, err := peer.Publish(track)
		if err != nil {
			return nil, nil, err
		}
		publishers[name] = sent
	}
	offer, err := peer.Offer(ctx)
	if err != nil {
		return nil, nil, err
	}
	in := api.TracksRequest{Description: &api.Description{Type: "offer", SDP: offer}}
	for name, sent := range publishers {
		in.Tracks = append(in.Tracks, api.Track{Location: "local", Mid: sent.Mid(), TrackName: name})
	}
	out, err := session.AddTracks(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	if err := peer.SetAnswer(out.Description.SDP); err != nil {
		return nil, nil, err
	}
	return session, peer, peer.WaitConnected(ctx)
}

// adapter is one item of adapters/websocket/new (contract 5.1).
type adapter struct {
	Location    string `json:"location"`
	SessionID   string `json:"sessionId,omitempty"`
	TrackName   string `json:"trackName"`
	Endpoint    string `json:"endpoint"`
	InputCodec  string `json:"inputCodec,omitempty"`
	OutputCodec string `json:"outputCodec,omitempty"`
}

// ask makes one adapter. A publisher that has only just connected may not be known to send yet.
func ask(ctx context.Context, session *api.Session, a adapter) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := session.CallApp(ctx, http.MethodPost, "adapters/websocket/new", map[string]any{"tracks": []adapter{a}}, &struct{}{})
		if err == nil || !strings.Contains(err.Error(), "not_found_track_error") {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
