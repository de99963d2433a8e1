package conformance

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openLifeCases are the questions about what ends, and when. They let the service's time pass.
func openLifeCases() []Case {
	lasting := func(slow time.Duration, c Case) Case {
		c.Slow = slow
		return c
	}
	return []Case{
		lasting(154*time.Second, question(1, "fresh", "How long does a session live that never negotiates, for GET and for a pull?", openFreshLife)),
		lasting(70*time.Second, question(10, "abandoned", "What becomes of an offer of the SFU that is never answered?", openAbandoned)),
		lasting(35*time.Second, question(32, "closed", "How long does GET list what was closed, and with which fields?", openClosedEntries)),
		lasting(40*time.Second, question(37, "never", "What does a subscriber see that never acknowledges?", openNeverAcknowledged)),
		lasting(70*time.Second, question(49, "back", "Can a session be used again after 20 s, and after 40 s, without connectivity?", openBack)),
	}
}

// openFreshLife asks each way on sessions of its own, since a pull negotiates. The steps avoid round numbers, at which a
// service may be between two states.
func openFreshLife(ctx context.Context, t *T) {
	const step, steps = 22 * time.Second, 7
	asked := t.newSession(ctx)
	var pulled [steps]*client
	for i := range pulled {
		pulled[i] = &client{t: t, ID: t.newSession(ctx)}
	}
	for i := range steps {
		t.pass(ctx, step)
		after := fmt.Sprintf("after %s", time.Duration(i+1)*step)
		x := t.see(ctx, "GET "+after, call{Method: http.MethodGet, Path: "/sessions/" + asked})
		y := pulled[i].seePull(ctx, "pull "+after, remote(nobody, "mic"))
		if x.Status == http.StatusGone && y.Status == http.StatusGone {
			return
		}
	}
}

func openAbandoned(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	held := c.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)
	t.pass(ctx, 66*time.Second)
	c.seeTracks(ctx, "push after 66 s", tracksBody{offerOf(t.stray(ctx, mic())), []trackItem{local("1", "more")}})
	c.seePull(ctx, "pull after 66 s", remote(pub.ID, "mic"))
	c.tryAnswer(ctx, "the offer", held)
	t.observe("media that flowed before still does", "%s", yesNo(t.flowsOn(ctx, subs[0])))
}

// flowsOn says whether packets come within a few seconds.
func (t *T) flowsOn(ctx context.Context, s *sfutest.Subscriber) bool {
	return t.flowsWithin(ctx, s, 4*time.Second)
}

func (t *T) flowsWithin(ctx context.Context, s *sfutest.Subscriber, within time.Duration) bool {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := s.WaitMore(limited, 5)
	return err == nil
}

func openClosedEntries(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "the track", s, 5)
	}
	c.seeState(ctx, "GET of the subscriber before")
	pub.put(ctx, "/tracks/close", closeBody{mids("1"), nil, true}).want(http.StatusOK)
	pub.seeState(ctx, "GET of the publisher after its close")
	c.seeState(ctx, "GET of the subscriber after the publisher's close")
	c.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK)
	c.seeState(ctx, "GET of the subscriber after its own close")
	t.pass(ctx, 33*time.Second)
	pub.seeState(ctx, "GET of the publisher 33 s later")
	c.seeState(ctx, "GET of the subscriber 33 s later")
}

func openNeverAcknowledged(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	pub.allocate(ctx, localChannel("chat"))
	channel := sub.allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	t.pass(ctx, 33*time.Second)
	closed := t.happens(ctx, 3*time.Second, func() bool { return channel.Stats().Closed })
	t.observe("the client's channel closes", "%s", yesNo(closed))
	sub.seeState(ctx, "GET afterwards")
	sub.seePost(ctx, "another subscription", "/datachannels/new", channelsBody{[]channelRow{remoteChannel(pub.ID, "chat").gated()}})
}

// openBack takes the network from a publisher, with pauses that the client's own ICE survives.
func openBack(ctx context.Context, t *T) {
	for _, away := range []time.Duration{20 * time.Second, 40 * time.Second} {
		name := away.String()
		pub, _ := t.publish(ctx, sfutest.Config{Failed: 2 * time.Minute}, mic())
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
		t.flows(ctx, "mic", subs[0], 5)
		pub.Peer.Vanish()
		if !t.happens(ctx, 6*time.Second, func() bool { return !t.flowsWithin(ctx, subs[0], 500*time.Millisecond) }) {
			t.observe("the suite can cut its peer off", "no, not on this route")
			return
		}
		for _, step := range []time.Duration{5 * time.Second, away - 5*time.Second} { // what moves a clock gives the service time to notice
			t.pass(ctx, step)
			t.happens(ctx, 2*time.Second, func() bool { return pub.gone(ctx) })
		}
		pub.seeState(ctx, "GET after "+name)
		pub.Peer.Return()
		t.observe("media comes again after "+name, "%s", yesNo(t.flowsOn(ctx, subs[0])))
		pub.seeState(ctx, "GET when back after "+name)
	}
}
