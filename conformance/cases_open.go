package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// openCases are the open questions of contract 10, each by what a target does.
func openCases() []Case {
	return slices.Concat(openLifeCases(), openRequestCases(), openOverlapCases(), openTrackCases(), openSDPCases(), openMediaCases(),
		openLayerCases(), openChannelCases(), openAdapterCases(), openOutsideCases())
}

// question makes the case of question n of contract 10. The name tells the cases of one question apart.
func question(n int, name, sentence string, run func(ctx context.Context, t *T)) Case {
	return Case{
		ID: fmt.Sprintf("open/Q%d-%s", n, name), Sentence: sentence, Section: fmt.Sprintf("10 Q%d", n), Mark: Inferred, Observes: true, Run: run,
	}
}

// Unobserved is a question of contract 10, or a part of it, that no case answers.
type Unobserved struct {
	Question int
	Part     string // what is left out
	Why      string
}

// unobserved is what the open cases leave out.
var unobserved = []Unobserved{
	{4, "the answer 429", "60 requests in one second are above the documented limit, and the suite stays under it"},
	{19, "several networks", "one run sees one network; record a run in each and compare them"},
	{23, "thresholds of bandwidth and the delay of stepping up", "it needs a link that is shaped from outside (netem); what the suite can send are reports of bandwidth, which the cases simulcast/bandwidth* do"},
	{24, "the time between key frames that a real encoder makes by itself", "the suite's publisher makes a key frame when it is asked, so the delay that it sees is the SFU's own"},
	{34, "ten minutes of listening", "a run should end; seconds are listened to, a publisher's leaving included"},
	{40, "ping interval and time limit of idle sockets", "an idle socket would have to be watched for minutes"},
	{41, "the backlog after a break of the link, and JPEG quality", "it needs a link that drops packets; quality is not a number that a picture has"},
	{48, "rotation of the app secret", "the account API has no call for it; only the dashboard rotates a secret"},
}

// UnobservedQuestions lists them.
func UnobservedQuestions() []Unobserved { return slices.Clone(unobserved) }

func (c *client) seePost(ctx context.Context, name, rest string, body any) *exchange {
	return c.t.see(ctx, name, call{Method: http.MethodPost, Path: c.path(rest), Body: body})
}

func (c *client) seePut(ctx context.Context, name, rest string, body any) *exchange {
	return c.t.see(ctx, name, call{Method: http.MethodPut, Path: c.path(rest), Body: body})
}

func (c *client) seeTracks(ctx context.Context, name string, body any) *exchange {
	return c.seePost(ctx, name, "/tracks/new", body)
}

func (c *client) seePull(ctx context.Context, name string, items ...trackItem) *exchange {
	return c.seeTracks(ctx, name, tracksBody{Tracks: items})
}

// seeState observes GET, and what it lists.
func (c *client) seeState(ctx context.Context, name string) {
	x := c.t.see(ctx, name, call{Method: http.MethodGet, Path: c.path("")})
	for i, item := range x.Body.Tracks {
		c.t.observe(fmt.Sprintf("%s: lists track %d", name, i), "%s %s %s", item.Location, item.TrackName, item.Status)
	}
	for i, row := range x.Body.DataChannels {
		c.t.observe(fmt.Sprintf("%s: lists data channel %d", name, i), "%s %s %s", row.Location, row.DataChannelName, row.Status)
	}
}

// tryAnswer answers the SFU's offer in x, if it is one, and observes what becomes of it.
func (c *client) tryAnswer(ctx context.Context, name string, x *exchange) {
	d := x.Body.SessionDescription
	if d == nil || d.Type != "offer" {
		return
	}
	answer, err := c.Peer.Answer(ctx, d.SDP)
	if err != nil {
		c.t.observe(name+": the offer can be answered", "no")
		c.t.Logf("%s: %v", name, err)
		return
	}
	c.seePut(ctx, name+", answered", "/renegotiate", renegotiateBody{answerOf(answer)})
}

// tryApply applies the SFU's answer in x, if it is one.
func (c *client) tryApply(name string, x *exchange) bool {
	d := x.Body.SessionDescription
	if d == nil || d.Type != "answer" {
		return false
	}
	if err := c.Peer.SetAnswer(d.SDP); err != nil {
		c.t.observe(name+": the answer can be applied", "no")
		c.t.Logf("%s: %v", name, err)
		return false
	}
	return true
}
