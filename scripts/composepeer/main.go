package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/callsemu/callsemu/scripts/internal/api"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

const (
	app         = "compose-test"
	patience    = 30 * time.Second // for everything up to the last packet wanted
	wantPackets = 100              // of each track
)

// options are the flags of both roles.
type options struct {
	url     string
	session string // whose tracks to pull
	only    string // the one address whose candidates are used, so that a test knows which way media went
	tcp     bool
	relay   string // over what, to use a relay of TURN alone
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "composepeer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 {
		return fmt.Errorf("say publish or pull")
	}
	var opts options
	flags := flag.NewFlagSet("composepeer "+args[0], flag.ContinueOnError)
	flags.StringVar(&opts.url, "url", "http://127.0.0.1:1473", "base URL of callsemu")
	flags.StringVar(&opts.session, "session", "", "session to pull from")
	flags.StringVar(&opts.only, "only", "", "use only candidates with this IP address")
	flags.BoolVar(&opts.tcp, "tcp", false, "ICE over TCP only")
	flags.StringVar(&opts.relay, "relay", "", "through TURN only, over udp, tcp or tls")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	cfg := sfutest.Config{TCPOnly: opts.tcp}
	if opts.relay != "" {
		server, err := relayServer(ctx, opts)
		if err != nil {
			return err
		}
		cfg = sfutest.Config{Gather: true, RelayOnly: true, ICEServers: []sfutest.ICEServer{server}}
	}
	peer, err := sfutest.NewPeer(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = peer.Close() }() // the process ends with it
	switch args[0] {
	case "publish":
		return publish(ctx, peer, opts)
	case "pull":
		return pull(ctx, peer, opts)
	}
	return fmt.Errorf("say publish or pull, not %s", args[0])
}

// relayURLs are how the URLs of TURN begin and end.
var relayURLs = map[string][2]string{"udp": {"turn:", "=udp"}, "tcp": {"turn:", "=tcp"}, "tls": {"turns:", "=tcp"}}

// relayServer has the one URL that is first in the list.
func relayServer(ctx context.Context, opts options) (sfutest.ICEServer, error) {
	form, known := relayURLs[opts.relay]
	if !known {
		return sfutest.ICEServer{}, fmt.Errorf("say -relay udp, tcp or tls, not %s", opts.relay)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	servers, err := api.ICEServers(ctx, opts.url)
	if err != nil {
		return sfutest.ICEServer{}, err
	}
	for _, s := range servers {
		for _, url := range s.URLs {
			if strings.HasPrefix(url, form[0]) && strings.HasSuffix(url, form[1]) {
				return sfutest.ICEServer{URLs: []string{url}, Username: s.Username, Credential: s.Credential}, nil
			}
		}
	}
	return sfutest.ICEServer{}, fmt.Errorf("no URL of TURN over %s in %v", opts.relay, servers)
}

// trackNames are what publish publishes and pull pulls.
var trackNames = map[sfutest.Codec]string{sfutest.Opus: "audio", sfutest.VP8: "video"}

func publish(ctx context.Context, peer *sfutest.Peer, opts options) error {
	start, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var tracks []*sfutest.Publisher
	var names []string
	for codec, name := range trackNames {
		track, err := peer.Publish(sfutest.Track{Codec: codec, KeyEvery: 25})
		if err != nil {
			return fmt.Errorf("publish %s: %w", name, err)
		}
		tracks, names = append(tracks, track), append(names, name)
	}
	offer, err := peer.Offer(start)
	if err != nil {
		return err
	}
	wanted := make([]api.Track, len(tracks))
	for i, track := range tracks {
		wanted[i] = api.Track{Location: "local", Mid: track.Mid(), TrackName: names[i]}
	}
	calls, err := api.New(start, opts.url, app)
	if err != nil {
		return err
	}
	answer, err := calls.AddTracks(start, api.TracksRequest{Description: &api.Description{Type: "offer", SDP: offer}, Tracks: wanted})
	if err != nil {
		return err
	}
	if err := peer.SetAnswer(keepCandidates(answer.Description.SDP, opts.only)); err != nil {
		return err
	}
	if err := peer.WaitConnected(start); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	fmt.Println(calls.ID)
	<-ctx.Done()
	return nil
}

func pull(ctx context.Context, peer *sfutest.Peer, opts options) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	calls, err := api.New(ctx, opts.url, app)
	if err != nil {
		return err
	}
	var wanted []api.Track
	for _, name := range trackNames {
		wanted = append(wanted, api.Track{Location: "remote", SessionID: opts.session, TrackName: name})
	}
	offered, err := calls.AddTracks(ctx, api.TracksRequest{Tracks: wanted})
	if err != nil {
		return err
	}
	answer, err := peer.Answer(ctx, keepCandidates(offered.Description.SDP, opts.only))
	if err != nil {
		return err
	}
	if err := calls.Renegotiate(ctx, answer); err != nil {
		return err
	}
	var report []string
	for _, track := range offered.Tracks {
		got, err := receive(ctx, peer.Subscriber(track.Mid), track.TrackName)
		if err != nil {
			return err
		}
		report = append(report, got)
	}
	over := peer.SelectedTransport()
	if opts.relay != "" {
		over = "a relay over " + opts.relay
	}
	fmt.Printf("over %s: %s\n", over, strings.Join(report, "; "))
	return nil
}

// receive waits for media that is whole, for video with a key frame, and says what came.
func receive(ctx context.Context, sub *sfutest.Subscriber, name string) (string, error) {
	got, err := sub.Wait(ctx, func(s sfutest.SubscriberStats) bool {
		return s.Packets >= wantPackets && (name != trackNames[sfutest.VP8] || s.KeyFrames > 0)
	})
	if err != nil {
		return "", fmt.Errorf("%s: %d packets, %d key frames: %w", name, got.Packets, got.KeyFrames, err)
	}
	if got.Corrupt+got.Unstamped > 0 {
		return "", fmt.Errorf("%s: %d packets damaged, %d of unknown origin", name, got.Corrupt, got.Unstamped)
	}
	return fmt.Sprintf("%s %d packets, %d missing", name, got.Packets, got.Missing), nil
}

// keepCandidates drops the candidates of every address but one from an SDP; "" keeps all.
func keepCandidates(sdp, only string) string {
	if only == "" {
		return sdp
	}
	var kept strings.Builder
	for line := range strings.Lines(sdp) {
		// a=candidate:foundation component transport priority address port typ host
		if fields := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") && len(fields) > 4 && fields[4] != only {
			continue
		}
		kept.WriteString(line)
	}
	return kept.String()
}
