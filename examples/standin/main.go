package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

// patience is for one way, from the first call to the last packet wanted.
const patience = 20 * time.Second

// wantPackets are what one way has to carry: a second of audio.
const wantPackets = 50

// stunURL and turnURLs are those of the documentation.
const stunURL = "stun:stun.cloudflare.com:3478"

var turnURLs = []string{
	"turn:turn.cloudflare.com:3478?transport=udp",
	"turn:turn.cloudflare.com:443?transport=udp",
	"turn:turn.cloudflare.com:3478?transport=tcp",
	"turn:turn.cloudflare.com:80?transport=tcp",
	"turns:turn.cloudflare.com:5349?transport=tcp",
	"turns:turn.cloudflare.com:443?transport=tcp",
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	servers, err := iceServers(ctx)
	if err != nil {
		return fmt.Errorf("TURN credentials: %w", err)
	}
	turn := servers[len(servers)-1]
	if !slices.Equal(turn.URLs, turnURLs) {
		return fmt.Errorf("the API lists %v instead of %v", turn.URLs, turnURLs)
	}
	publisher, session, track, err := publish(ctx)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { send(ctx, track) })
	defer func() {
		stop()
		sending.Wait()
		_ = publisher.Close()
	}()

	if err := pull(ctx, session, webrtc.Configuration{ICEServers: []webrtc.ICEServer{{URLs: []string{stunURL}}}}); err != nil {
		return fmt.Errorf("directly: %w", err)
	}
	for _, url := range turnURLs {
		err := pull(ctx, session, webrtc.Configuration{
			ICETransportPolicy: webrtc.ICETransportPolicyRelay,
			ICEServers:         []webrtc.ICEServer{{URLs: []string{url}, Username: turn.Username, Credential: turn.Credential}},
		})
		if err != nil {
			return fmt.Errorf("through %s: %w", url, err)
		}
		fmt.Println("media through", url)
	}
	fmt.Printf("%s: %d packets directly and through each of %d TURN URLs\n", base, wantPackets, len(turnURLs))
	return nil
}

// publish offers a track and connects.
func publish(ctx context.Context) (*webrtc.PeerConnection, string, *webrtc.TrackLocalStaticSample, error) {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, "", nil, err
	}
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "standin")
	if err != nil {
		return nil, "", nil, err
	}
	session, err := connect(ctx, pc, track)
	if err != nil {
		_ = pc.Close()
		return nil, "", nil, err
	}
	return pc, session, track, nil
}

func connect(ctx context.Context, pc *webrtc.PeerConnection, track webrtc.TrackLocal) (session string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	connected := make(chan struct{})
	once := sync.OnceFunc(func() { close(connected) })
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once()
		}
	})
	transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return "", err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	if err := setLocal(ctx, pc, offer); err != nil {
		return "", err
	}
	if session, err = newSession(ctx); err != nil {
		return "", err
	}
	answer, err := addTracks(ctx, session, tracksRequest{Description: pc.LocalDescription(),
		Tracks: []trackObject{{Location: "local", Mid: transceiver.Mid(), TrackName: "audio"}}})
	if err != nil {
		return "", err
	}
	if err := pc.SetRemoteDescription(*answer); err != nil {
		return "", err
	}
	return session, await(ctx, connected, "the connection")
}

// send sends silence until ctx ends.
func send(ctx context.Context, track *webrtc.TrackLocalStaticSample) {
	const frame = 20 * time.Millisecond
	silence := []byte{0xf8, 0xff, 0xfe} // one Opus frame of 20 ms
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = track.WriteSample(media.Sample{Data: silence, Duration: frame}) // what is lost is missed at the other end
		case <-ctx.Done():
			return
		}
	}
}

// pull returns when enough packets have come.
func pull(ctx context.Context, from string, cfg webrtc.Configuration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pc, err := webrtc.NewPeerConnection(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = pc.Close() }()
	enough := make(chan struct{})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for range wantPackets {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
		}
		close(enough)
	})
	session, err := newSession(ctx)
	if err != nil {
		return err
	}
	offer, err := addTracks(ctx, session, tracksRequest{Tracks: []trackObject{{Location: "remote", SessionID: from, TrackName: "audio"}}})
	if err != nil {
		return err
	}
	if err := pc.SetRemoteDescription(*offer); err != nil {
		return err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := setLocal(ctx, pc, answer); err != nil {
		return err
	}
	if err := renegotiate(ctx, session, pc.LocalDescription()); err != nil {
		return err
	}
	return await(ctx, enough, "media")
}

// setLocal waits for the candidates as well, since there is no trickling.
func setLocal(ctx context.Context, pc *webrtc.PeerConnection, description webrtc.SessionDescription) error {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(description); err != nil {
		return err
	}
	return await(ctx, gathered, "candidates")
}

func await(ctx context.Context, done <-chan struct{}, what string) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
	}
}
