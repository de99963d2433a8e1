package conformance

import (
	"context"
	"fmt"
	"net/http"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// base makes good requests for the faults of fields.
type base struct {
	section string // of the contract
	needs   []Need
	// prepare gives a function that makes the next good request; it gets the answer that used up the one before, nil at first.
	prepare func(ctx context.Context, t *T) func(used *exchange) request
}

var bases = map[string]base{
	"session":             {"1.1", nil, baseSession},
	"push":                {"1.3", nil, basePush(map[string]any{"autoDiscover": false}, true)},
	"discover":            {"1.3", nil, basePush(map[string]any{"autoDiscover": true}, false)},
	"unoffered":           {"1.3", nil, baseUnoffered},
	"pull":                {"1.3", nil, basePull},
	"update":              {"1.5", nil, baseUpdate},
	"close":               {"1.6", nil, baseClose},
	"close by offer":      {"1.6", nil, baseCloseByOffer},
	"answer":              {"1.4", nil, baseAnswer},
	"establish":           {"1.9", nil, baseEstablish("dataChannel", true, false)},
	"establish, misspelt": {"1.9", nil, baseEstablish("datachannel", false, false)},
	"establish, list":     {"1.9", nil, baseEstablish("dataChannels", false, true)},
	"publish":             {"1.10", nil, baseChannel("maxRetransmits")},
	"publish for a time":  {"1.10", nil, baseChannel("maxPacketLifeTime")},
	"subscribe":           {"1.10", nil, baseSubscribe},
	"grant":               {"1.11", nil, baseGrant},
	"close a channel":     {"1.12", nil, baseCloseChannel},
	"ingest":              {"5.1", []Need{Endpoints}, baseIngest},
	"egress":              {"5.1", []Need{Endpoints}, baseEgress},
	"close an adapter":    {"5.2", []Need{Endpoints}, baseCloseAdapter},
	"ice servers":         {"7.3", []Need{TURN}, baseCredentials("/generate-ice-servers")},
	"credentials":         {"7.3", []Need{TURN}, baseCredentials("/generate")},
	"make an app":         {"8", []Need{AccountAPI}, baseAccount("/calls/apps", false)},
	"rename an app":       {"8", []Need{AccountAPI}, baseAccount("/calls/apps", true)},
	"make a key":          {"8", []Need{AccountAPI}, baseAccount("/calls/turn_keys", false)},
	"rename a key":        {"8", []Need{AccountAPI}, baseAccount("/calls/turn_keys", true)},
}

func described(kind, sdp string) map[string]any { return map[string]any{"type": kind, "sdp": sdp} }

// audioOffer is an offer of one audio track, good for any number of sessions that never connect.
func (t *T) audioOffer(ctx context.Context) string {
	peer := t.peer(sfutest.Config{})
	_, err := peer.Publish(mic().Track)
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	return offer
}

func post(path string, body map[string]any) request {
	return request{call: call{Method: http.MethodPost, Path: path}, body: body}
}

func put(path string, body map[string]any) request {
	return request{call: call{Method: http.MethodPut, Path: path}, body: body}
}

func baseSession(ctx context.Context, t *T) func(*exchange) request {
	offer := t.audioOffer(ctx)
	return func(*exchange) request {
		return post("/sessions/new", map[string]any{"sessionDescription": described("offer", offer)})
	}
}

func basePush(rest map[string]any, named bool) func(context.Context, *T) func(*exchange) request {
	return func(ctx context.Context, t *T) func(*exchange) request {
		offer := t.audioOffer(ctx)
		return func(*exchange) request {
			body := map[string]any{"sessionDescription": described("offer", offer)}
			for name, value := range rest {
				body[name] = value
			}
			if named {
				body["tracks"] = []any{map[string]any{"location": "local", "mid": "0", "trackName": "mic", "bidirectionalMediaStream": false}}
			}
			return post("/sessions/"+t.newSession(ctx)+"/tracks/new", body)
		}
	}
}

func baseUnoffered(ctx context.Context, t *T) func(*exchange) request {
	return func(*exchange) request {
		return post("/sessions/"+t.newSession(ctx)+"/tracks/new", map[string]any{
			"tracks": []any{map[string]any{"location": "local", "trackName": "mic", "kind": "audio"}},
		})
	}
}

// pulled is an item with every field that a pull has.
func pulled(from *client, name string) map[string]any {
	return map[string]any{
		"location": "remote", "sessionId": from.ID, "trackName": name,
		"simulcast": map[string]any{"preferredRid": "a", "priorityOrdering": "none", "ridNotAvailable": "none"},
	}
}

func basePull(ctx context.Context, t *T) func(*exchange) request {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	return func(*exchange) request {
		return post("/sessions/"+t.newSession(ctx)+"/tracks/new", map[string]any{"tracks": []any{pulled(pub, "mic")}})
	}
}

func baseUpdate(ctx context.Context, t *T) func(*exchange) request {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	item := pulled(pub.client, "cam")
	item["mid"] = "0"
	return func(*exchange) request { return put(sub.path("/tracks/update"), map[string]any{"tracks": []any{item}}) }
}

func baseClose(ctx context.Context, t *T) func(*exchange) request {
	c, _ := t.publish(ctx, sfutest.Config{}, mic())
	n := 0
	return func(*exchange) request {
		n++
		publishers := c.push(ctx, named{fmt.Sprintf("mic %d", n), mic().Track})
		return put(c.path("/tracks/close"), map[string]any{"tracks": []any{map[string]any{"mid": publishers[0].Mid()}}, "force": true})
	}
}

// baseCloseByOffer closes tracks whose transceivers the client has not stopped, which the SFU takes as well (contract 1.6).
func baseCloseByOffer(ctx context.Context, t *T) func(*exchange) request {
	c, _ := t.publish(ctx, sfutest.Config{}, mic())
	n := 0
	return func(used *exchange) request {
		switch {
		case used == nil:
		case used.Body.SessionDescription == nil: // the trial was a forced close, and the client's offer stays open
			c, _ = t.publish(ctx, sfutest.Config{}, mic())
		default:
			t.Must(c.Peer.SetAnswer(used.sdp("answer")))
		}
		n++
		publishers := c.push(ctx, named{fmt.Sprintf("mic %d", n), mic().Track})
		return put(c.path("/tracks/close"), map[string]any{
			"tracks": []any{map[string]any{"mid": publishers[0].Mid()}}, "force": false, "sessionDescription": described("offer", c.offer(ctx)),
		})
	}
}

func baseAnswer(ctx context.Context, t *T) func(*exchange) request {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	return func(*exchange) request {
		c := t.client(ctx, sfutest.Config{})
		answer, err := c.Peer.Answer(ctx, c.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).sdp("offer"))
		t.Must(err)
		return put(c.path("/renegotiate"), map[string]any{"sessionDescription": described("answer", answer)})
	}
}

func baseEstablish(key string, offered, inList bool) func(context.Context, *T) func(*exchange) request {
	return func(ctx context.Context, t *T) func(*exchange) request {
		peer := t.peer(sfutest.Config{})
		_, err := peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
		t.Must(err)
		offer, err := peer.Offer(ctx)
		t.Must(err)
		return func(*exchange) request {
			var channel any = map[string]any{"location": "remote", "dataChannelName": "server-events"}
			if inList {
				channel = []any{channel}
			}
			body := map[string]any{key: channel}
			if offered {
				body["sessionDescription"] = described("offer", offer)
			}
			return post("/sessions/"+t.newSession(ctx)+"/datachannels/establish", body)
		}
	}
}

func baseChannel(limit string) func(context.Context, *T) func(*exchange) request {
	return func(ctx context.Context, t *T) func(*exchange) request {
		c := t.dataClient(ctx)
		n := 0
		return func(*exchange) request {
			n++
			return post(c.path("/datachannels/new"), map[string]any{"dataChannels": []any{map[string]any{
				"location": "local", "dataChannelName": fmt.Sprintf("chat %d", n), "ordered": true, limit: 0,
			}}})
		}
	}
}

func baseSubscribe(ctx context.Context, t *T) func(*exchange) request {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	pub.allocate(ctx, localChannel("chat"))
	return func(used *exchange) request {
		if used != nil && used.channel(0).ID != nil {
			sub.putChannels(ctx, "close", channelIDs(*used.channel(0).ID)...).want(http.StatusOK)
		}
		return post(sub.path("/datachannels/new"), map[string]any{"dataChannels": []any{map[string]any{
			"location": "remote", "sessionId": pub.ID, "dataChannelName": "chat", "waitForAck": false, "canReply": false,
		}}})
	}
}

func baseGrant(ctx context.Context, t *T) func(*exchange) request {
	pub, sub, _, _ := t.pair(ctx)
	return func(*exchange) request {
		return put(sub.path("/datachannels/update"), map[string]any{"dataChannels": []any{map[string]any{
			"location": "remote", "sessionId": pub.ID, "dataChannelName": "chat", "canReply": true,
		}}})
	}
}

func baseCloseChannel(ctx context.Context, t *T) func(*exchange) request {
	c := t.dataClient(ctx)
	n := 0
	return func(*exchange) request {
		n++
		id := *c.postChannels(ctx, localChannel(fmt.Sprintf("chat %d", n))).want(http.StatusOK).channel(0).ID
		return put(c.path("/datachannels/close"), map[string]any{"dataChannels": []any{map[string]any{"id": id}}})
	}
}

// asMap is the item as a body has it.
func (t *T) asMap(item adapterItem) map[string]any {
	return decoded(t.encode(item)).(map[string]any)
}

func baseIngest(ctx context.Context, t *T) func(*exchange) request {
	e := t.endpoint()
	return func(used *exchange) request {
		t.closeMade(ctx, used)
		return post("/adapters/websocket/new", map[string]any{"tracks": []any{t.asMap(ingestItem(e.url))}})
	}
}

func baseEgress(ctx context.Context, t *T) func(*exchange) request {
	e := t.endpoint()
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	return func(used *exchange) request {
		t.closeMade(ctx, used)
		return post("/adapters/websocket/new", map[string]any{"tracks": []any{t.asMap(egressItem(pub.ID, "mic", e.url, "pcm"))}})
	}
}

// closeMade closes the adapters that a trial made.
func (t *T) closeMade(ctx context.Context, x *exchange) {
	if x == nil {
		return
	}
	for _, made := range x.Body.Tracks {
		if made.AdapterID != "" {
			t.closeAdapters(ctx, made.AdapterID).want(http.StatusOK)
		}
	}
}

// baseCloseAdapter closes one adapter again and again, which succeeds (contract 5.2).
func baseCloseAdapter(ctx context.Context, t *T) func(*exchange) request {
	made := t.adapter(ctx, ingestItem(t.endpoint().url))
	return func(*exchange) request {
		return post("/adapters/websocket/close", map[string]any{"tracks": []any{map[string]any{"adapterId": made.AdapterID}}})
	}
}

func baseCredentials(path string) func(context.Context, *T) func(*exchange) request {
	return func(context.Context, *T) func(*exchange) request {
		return func(*exchange) request {
			return request{call: generate(path, nil), body: map[string]any{"ttl": 60, "customIdentifier": "room"}}
		}
	}
}

// baseAccount makes items, or renames one.
func baseAccount(path string, rename bool) func(context.Context, *T) func(*exchange) request {
	return func(ctx context.Context, t *T) func(*exchange) request {
		c := &accountCall{Method: http.MethodPost, Path: path}
		if rename {
			c = &accountCall{Method: http.MethodPut, Path: path + "/" + t.accountMake(ctx, path, accountName{"conformance"}).UID}
		}
		return func(*exchange) request { return request{account: c, body: map[string]any{"name": "conformance"}} }
	}
}
