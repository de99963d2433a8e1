package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/scripts/internal/api"
	"github.com/callsemu/callsemu/scripts/internal/load"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

const (
	app      = "dataload"
	patience = 60 * time.Second // for everything up to the first message
)

// options are the flags.
type options struct {
	load.Target
	subs, stuck int
	rate, size  int
	drain       time.Duration // how long to wait for what is on its way
}

func main() { load.Main(app, run) }

func parse(args []string) (options, error) {
	o := options{drain: 5 * time.Second}
	flags := o.Flags(app, 20*time.Second, 5*time.Minute)
	flags.IntVar(&o.subs, "subs", 100, "subscribers, up to 1000")
	flags.IntVar(&o.stuck, "stuck", 0, "subscribers more that cut their network at half time, up to 100")
	flags.IntVar(&o.rate, "rate", 200, "messages a second, up to 20000")
	flags.IntVar(&o.size, "size", 100, "bytes of a message, 16 to 65536")
	if err := o.Parse(flags, args); err != nil {
		return o, err
	}
	switch {
	case o.subs < 1 || o.subs > 1000 || o.stuck < 0 || o.stuck > 100:
		return o, fmt.Errorf("-subs is %d and -stuck %d; they lie within 1 to 1000 and 0 to 100", o.subs, o.stuck)
	case o.rate < 1 || o.rate > 20000 || o.size < stampSize || o.size > 65536:
		return o, fmt.Errorf("-rate is %d and -size %d; they lie within 1 to 20000 and %d to 65536", o.rate, o.size, stampSize)
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
	publisher, err := connect(start, o.URL)
	if err != nil {
		return err
	}
	defer publisher.close()
	source, err := publisher.allocate(start, channel{Location: "local", Name: "load"})
	if err != nil {
		return err
	}
	var watchers []*watcher
	var stuck []*endpoint
	for i := range o.subs + o.stuck {
		e, err := connect(start, o.URL)
		if err != nil {
			return err
		}
		defer e.close()
		c, err := e.allocate(start, channel{Location: "remote", Name: "load", SessionID: publisher.api.ID})
		if err != nil {
			return err
		}
		if i < o.subs {
			watchers = append(watchers, watch(c))
		} else {
			stuck = append(stuck, e)
		}
	}
	if err := link(start, source, watchers); err != nil {
		return err
	}
	return measure(ctx, o, source, watchers, stuck)
}

// endpoint is one session with a transport for data.
type endpoint struct {
	api  *api.Session
	peer *sfutest.Peer
}

func connect(ctx context.Context, url string) (*endpoint, error) {
	session, err := api.New(ctx, url, app)
	if err != nil {
		return nil, err
	}
	peer, err := sfutest.NewPeer(sfutest.Config{})
	if err != nil {
		return nil, err
	}
	e := &endpoint{session, peer}
	if err := e.establish(ctx); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *endpoint) close() { _ = e.peer.Close() } // the process ends with it

// establish is contract 1.9 with the SFU's offer.
func (e *endpoint) establish(ctx context.Context) error {
	in := map[string]any{"dataChannel": channel{Location: "remote", Name: "server-events"}}
	var out struct {
		Description api.Description `json:"sessionDescription"`
	}
	if err := e.api.Call(ctx, http.MethodPost, e.api.ID+"/datachannels/establish", in, &out); err != nil {
		return err
	}
	answer, err := e.peer.Answer(ctx, out.Description.SDP)
	if err != nil {
		return err
	}
	if err := e.api.Renegotiate(ctx, answer); err != nil {
		return err
	}
	return e.peer.WaitConnected(ctx)
}

// channel is one item of datachannels/new (contract 1.10).
type channel struct {
	Location  string `json:"location"`
	Name      string `json:"dataChannelName"`
	SessionID string `json:"sessionId,omitempty"`
	ID        int    `json:"id,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
}

func (e *endpoint) allocate(ctx context.Context, c channel) (*sfutest.Channel, error) {
	type list struct {
		Channels []channel `json:"dataChannels"`
	}
	var out list
	if err := e.api.Call(ctx, http.MethodPost, e.api.ID+"/datachannels/new", list{[]channel{c}}, &out); err != nil {
		return nil, err
	}
	if len(out.Channels) != 1 || out.Channels[0].ErrorCode != "" {
		return nil, fmt.Errorf("allocate %q: %+v", c.Name, out.Channels)
	}
	id := uint16(out.Channels[0].ID)
	made, err := e.peer.OpenChannel(sfutest.ChannelOptions{Label: c.Name, ID: &id})
	if err != nil {
		return nil, err
	}
	return made, made.WaitOpen(ctx)
}
