package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Observation is one thing that a case with Observes saw: a small value under a name that the case uses once.
type Observation struct{ Name, Value string }

// observe records an observation.
func (t *T) observe(name, format string, args ...any) {
	o := Observation{name, t.mask.text(fmt.Sprintf(format, args...))}
	t.observations = append(t.observations, o)
	t.steps = append(t.steps, Step{At: time.Since(t.begun), Note: "observed: " + o.Name + " = " + o.Value})
}

// Unexpected begins the names of observations that nobody asked for: a step did not do what the case needs to go on.
const Unexpected = "unexpected"

// unexpected is what a failure becomes in an observing case, once: how often a poll meets it is of the run alone.
func (t *T) unexpected(failure string) {
	n := 1
	for _, o := range t.observations {
		if !strings.HasPrefix(o.Name, Unexpected) {
			continue
		}
		if o.Value == t.mask.text(failure) {
			return
		}
		n++
	}
	t.observe(fmt.Sprintf("%s %d", Unexpected, n), "%s", failure)
}

// answerLimit is how long an observing case waits for one answer: longer than the service waits for anything (contract 6).
const answerLimit = 15 * time.Second

// see sends a call, which may be anything, and observes the answer under the name. It is never nil.
func (t *T) see(ctx context.Context, name string, c call) *exchange {
	return t.seeWithin(ctx, name, answerLimit, c)
}

// seeWithin is see with another limit, which begins when the request has had its turn.
func (t *T) seeWithin(ctx context.Context, name string, limit time.Duration, c call) *exchange {
	x, err := t.ask(ctx, limit, c)
	switch {
	case err == nil:
		x.observeAs(name)
		return x
	case ctx.Err() != nil:
		t.Fatalf("%s: %v", name, context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		t.observe(name+": status", "no answer within %s", limit)
	case errors.Is(err, syscall.ECONNREFUSED):
		t.observe(name+": status", "connection refused")
	default:
		t.observe(name+": status", "no answer: the connection broke")
		t.Logf("%s: %v", name, err)
	}
	return &exchange{t: t, call: c, Header: http.Header{}}
}

// ask sends a call, which must be answered within the limit once it has had its turn, and checks nothing.
func (t *T) ask(ctx context.Context, limit time.Duration, c call) (*exchange, error) {
	body := t.encode(c.Body)
	request, err := t.request(ctx, c, body)
	if err != nil {
		return nil, err
	}
	a, err := t.sendWithin(limit, request, body)
	if err != nil {
		return nil, err
	}
	x := &exchange{t: t, call: c, Status: a.status, Header: a.header, Raw: a.raw, Elapsed: a.elapsed}
	_ = json.Unmarshal(a.raw, &x.Body) // what it is, says shapeOf
	return x, nil
}

// observeAs records status, time, shape and errors of the answer.
func (x *exchange) observeAs(name string) {
	o := func(what, format string, args ...any) { x.t.observe(name+": "+what, format, args...) }
	o("status", "%d", x.Status)
	o("time", "%s", TimeClass(x.Elapsed))
	o("body", "%s", shapeOf(x.Raw))
	if x.Body.ErrorCode != "" {
		o("error", "%s %q", x.Body.ErrorCode, x.Body.ErrorDescription)
	}
	for i, item := range x.Body.Tracks {
		o(fmt.Sprintf("tracks[%d]", i), "%s", itemText(midText(item.Mid), item.ErrorCode, item.ErrorDescription))
	}
	for i, row := range x.Body.DataChannels {
		id := "no id"
		if row.ID != nil {
			id = fmt.Sprintf("id %d", *row.ID)
		}
		o(fmt.Sprintf("dataChannels[%d]", i), "%s", itemText(id, row.ErrorCode, row.ErrorDescription))
	}
	if x.Body.SessionDescription != nil {
		o("sdp", "%s", x.Body.SessionDescription.Type)
	}
}

// midText says where a track is; an adapter is nowhere.
func midText(mid string) string {
	if mid == "" {
		return "done"
	}
	return "mid " + mid
}

func itemText(good, code, text string) string {
	if code == "" {
		return good
	}
	return fmt.Sprintf("%s %q", code, text)
}

// shapeOf is JSON without its values: the names of objects, sorted, and the distinct shapes of a list.
func shapeOf(raw []byte) string {
	if len(raw) == 0 {
		return "empty"
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return "not JSON"
	}
	return shape(value)
}

func shape(value any) string {
	switch v := value.(type) {
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			part := name
			switch v[name].(type) {
			case map[string]any, []any:
				part += shape(v[name])
			case nil:
				part += ": null"
			}
			parts = append(parts, part)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, element := range v {
			if s := shape(element); !slices.Contains(parts, s) {
				parts = append(parts, s)
			}
		}
		return "[" + strings.Join(parts, " | ") + "]"
	case string:
		return "string"
	case nil:
		return "null"
	}
	return fmt.Sprintf("%v", value)
}

// timeClasses are the times that the contract knows, with room around each (contract 6). Two runs against the same target agree in them.
var timeClasses = []struct {
	below time.Duration
	class string
}{
	{3 * time.Second, "under 3 s"},
	{6200 * time.Millisecond, "about 5 s"},
	{9500 * time.Millisecond, "about 8 s"},
	{13 * time.Second, "about 10 s"},
	{22 * time.Second, "about 15 s"},
	{45 * time.Second, "about 30 s"},
	{90 * time.Second, "about 60 s"},
	{150 * time.Second, "about 120 s"},
}

// TimeClass is a time as two targets can be compared by it.
func TimeClass(d time.Duration) string {
	for _, c := range timeClasses {
		if d < c.below {
			return c.class
		}
	}
	return "longer"
}

// yesNo is a bool as an observation.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// happens waits until a condition holds or the time is over, and says which.
func (t *T) happens(ctx context.Context, within time.Duration, holds func() bool) bool {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	holds, end := t.polled(holds)
	defer end()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-limited.Done():
			return false
		}
	}
	return true
}
