package conformance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// Paced is the target as a service that is called once in every so much time.
func Paced(target Target, every time.Duration) Target {
	target.pace = &pace{calls: rate.NewLimiter(rate.Every(every), 1), account: rate.NewLimiter(rate.Every(every), 1)}
	return target
}

// AsksForSession is a case's function that posts the body to sessions/new, and fails unless the answer has the status; where a
// row is named, it checks the error as well.
func AsksForSession(body any, want int, row string) func(context.Context, *T) {
	return func(ctx context.Context, t *T) {
		x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Body: body})
		if row != "" {
			x.wantError(row)
		}
		x.want(want)
	}
}

// ProbeMediaWithin is ProbeMedia with a limit of its own.
func ProbeMediaWithin(ctx context.Context, target Target, within time.Duration) error {
	return probeMedia(ctx, target, within)
}

// Inside is inside of the UDP address that has this IP.
func Inside(ip string) bool { return inside(&net.UDPAddr{IP: net.ParseIP(ip)}) }

// ShownItems is how a failure shows an item of tracks, one that was sent, and a data channel.
func ShownItems() string {
	id := 7
	return fmt.Sprintf("%+v %+v %+v", []answerItem{{Mid: "0", Status: "active"}}, trackItem{Location: "remote", Simulcast: prefer("h")}, channelRow{ID: &id})
}
