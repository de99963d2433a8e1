package conformance

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// pace keeps all cases together under the limits of a service that others use, too. The nil pace lets everything go at once.
type pace struct {
	calls   *rate.Limiter // contract 6: 50 a second on each session, so 25 on all of them is safe whatever they are about
	account *rate.Limiter // Cloudflare's v4 API takes 1200 requests in five minutes
}

func newPace() *pace { return &pace{calls: rate.NewLimiter(25, 5), account: rate.NewLimiter(3, 3)} }

// wait returns when the request may go.
func (p *pace) wait(ctx context.Context, request *http.Request) error {
	switch {
	case p == nil:
		return nil
	case strings.Contains(request.URL.Path, "/client/v4/"):
		return p.account.Wait(ctx)
	}
	return p.calls.Wait(ctx)
}
