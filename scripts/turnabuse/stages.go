package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"

	"github.com/callsemu/callsemu/scripts/internal/load"
)

// frames are streams that are none.
var frames = []string{
	"\x40\x00\xff\xfc" + strings.Repeat("\x00", 60),                             // ChannelData whose length wraps around
	"\x00\x01\xff\xfc\x21\x12\xa4\x42" + strings.Repeat("\x00", 56),             // a message of 65552 bytes
	"GET / HTTP/1.1\r\nHost: turn\r\n\r\n",                                      //
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x55", 53), // TLS where there is none
	"\x00\x03", // half a header, and then nothing
}

// malformed writes what is no message, over every transport.
func malformed(ctx context.Context, t target) (string, error) {
	for i := range t.malformed {
		at := t.udp
		if i%4 == 3 {
			at = t.tls
		}
		conn, err := net.Dial("tcp", at)
		if err != nil {
			return "", err
		}
		_, _ = conn.Write([]byte(frames[i%len(frames)]))   // the server may have closed it already
		if at == t.udp && i%len(frames) != len(frames)-1 { // elsewhere the server waits for the rest
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				return "", fmt.Errorf("frame %d: the server keeps the connection", i%len(frames))
			}
		}
		_ = conn.Close()
		if err := ctx.Err(); err != nil {
			return "", err
		}
	}
	conn, err := net.Dial("udp", t.udp)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	noise := make([]byte, 1200)
	for i := range 10 * t.malformed {
		n := i % len(noise)
		_, _ = rand.Read(noise[:n]) // never fails
		if i%2 == 0 && n > 20 {
			copy(noise, "\x00\x03\x00\x08\x21\x12\xa4\x42")
		}
		if _, err := conn.Write(noise[:n]); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d streams, %d datagrams", t.malformed, 10*t.malformed), nil
}

// wrongCredentials sends Allocate requests with them at the rate, and counts the answers.
func wrongCredentials(ctx context.Context, t target) (string, error) {
	s, err := t.issue(ctx)
	if err != nil {
		return "", err
	}
	conn, err := net.Dial("udp", t.udp)
	if err != nil {
		return "", err
	}
	answers := 0
	var counting sync.WaitGroup
	counting.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m := &stun.Message{Raw: buf[:n]}
			var code stun.ErrorCodeAttribute
			if m.Decode() == nil && code.GetFrom(m) == nil && code.Code == stun.CodeUnauthorized {
				answers++
			}
		}
	})
	key := turn.GenerateAuthKey(s.Username, "turn.cloudflare.com", "wrong")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	sent, all := 0, int(t.Length.Seconds()*float64(t.rate))
	for begun := time.Now(); sent < all && ctx.Err() == nil && err == nil; <-tick.C {
		for sent < min(all, int(time.Since(begun).Seconds()*float64(t.rate))) {
			m := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
				stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}, stun.NewUsername(s.Username),
				stun.NewRealm("turn.cloudflare.com"), stun.NewNonce("nonce"), stun.MessageIntegrity(key))
			if _, err = conn.Write(m.Raw); err != nil {
				break
			}
			sent++
		}
	}
	_ = load.Pause(ctx, time.Second) // for the last answers
	_ = conn.Close()
	counting.Wait()
	if err == nil && answers < sent*9/10 {
		err = fmt.Errorf("%d answers of 401 to %d requests", answers, sent)
	}
	return fmt.Sprintf("%d requests, %d answers of 401", sent, answers), errors.Join(err, ctx.Err())
}

// allocations makes them, has each relay a packet, and then goes away: half of the clients are on UDP, where nothing tells the
// server, and nothing refreshes.
func allocations(ctx context.Context, t target) (string, error) {
	var conns []net.PacketConn
	var clients []*turn.Client
	defer func() {
		for i, c := range clients {
			c.Close()
			_ = conns[i].Close()
		}
	}()
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = peer.Close() }()
	var s server
	for i := range t.allocations {
		if i%100 == 0 { // the quota of a credential
			if s, err = t.issue(ctx); err != nil {
				return "", err
			}
		}
		conn, client, err := t.client(s, i%2 == 0)
		if err != nil {
			return "", err
		}
		conns, clients = append(conns, conn), append(clients, client)
		relay, err := client.Allocate()
		if err != nil {
			return "", fmt.Errorf("allocation %d: %w", i, err)
		}
		if _, err := relay.WriteTo([]byte("hello"), peer.LocalAddr()); err != nil {
			return "", err
		}
		_ = peer.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := peer.ReadFrom(make([]byte, 10)); err != nil {
			return "", fmt.Errorf("allocation %d relays nothing: %w", i, err)
		}
	}
	now, err := t.state(ctx)
	return fmt.Sprintf("%d made, %d alive when the last one was", t.allocations, len(now.TURN.Allocations)), err
}

func (t *target) client(s server, overUDP bool) (net.PacketConn, *turn.Client, error) {
	var conn net.PacketConn
	if overUDP {
		udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		conn = udp
	} else {
		tcp, err := net.Dial("tcp", t.udp)
		if err != nil {
			return nil, nil, err
		}
		conn = turn.NewSTUNConn(tcp)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	client, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: t.udp, STUNServerAddr: t.udp, Conn: conn,
		Username: s.Username, Password: s.Credential, LoggerFactory: quiet})
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, client, client.Listen()
}
