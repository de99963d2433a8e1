package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Step is one thing that happened in a case: an exchange, a note or a failure; the others are empty. Nothing in it is a secret.
type Step struct {
	At       time.Duration // since the case began; of an exchange, its request
	Exchange *Exchange
	Note     string
	Failure  string
	Poll     int  // which poll of the case an exchange is part of, from 1; 0 for none
	Try      int  // and which try of that
	Tidy     bool // an exchange that closes what the case has left
	Retried  bool // an exchange that came too fast for the service (429), so that the request was to be sent again
}

// Exchange is one HTTP request with its answer.
type Exchange struct {
	Elapsed  time.Duration // until the last byte of the answer
	Method   string
	URL      string // path and query
	Request  Message
	Status   int // 0 if there was no answer
	Response Message
	Broken   string // why there was no answer
}

// Message is what was sent one way: the headers that matter, and up to mostRecorded bytes of the body.
type Message struct {
	Header http.Header
	Body   string
}

// mostRecorded is how much of a body is kept. An SDP with 64 tracks is under it.
const mostRecorded = 128 << 10

// answered is an answer as it came.
type answered struct {
	status  int
	header  http.Header
	raw     []byte
	shown   []byte // raw as it may be recorded: without what others have in an account
	elapsed time.Duration
}

// send sends a request, which has the body, when the pace lets it, and records the exchange. Where a service says that this is too fast,
// it does so again.
func (t *T) send(request *http.Request, body []byte) (answered, error) {
	return t.sendWithin(0, request, body)
}

// sendWithin is send for a request that must be answered within the limit, which begins anew whenever it has had its turn. 0 is none.
func (t *T) sendWithin(limit time.Duration, request *http.Request, body []byte) (answered, error) {
	for try := 1; ; try++ {
		if err := t.turn(request); err != nil {
			return answered{}, err
		}
		a, err := t.sendNow(limit, request, body)
		if err != nil || !t.tooFast(request, a, try) {
			return a, err
		}
		t.steps[len(t.steps)-1].Retried = true
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				return a, err
			}
		}
	}
}

// turn waits until the request may go, and tells whoever waits for that.
func (t *T) turn(request *http.Request) error {
	if err := t.queue(request.Context(), request); err != nil {
		return err
	}
	if goes := t.goes; goes != nil && !t.tidying {
		t.goes = nil
		goes()
	}
	return nil
}

// sendNow is sendWithin for a request that has had its turn, once.
func (t *T) sendNow(limit time.Duration, request *http.Request, body []byte) (answered, error) {
	if limit > 0 {
		ctx, cancel := context.WithTimeout(request.Context(), limit)
		defer cancel()
		request = request.WithContext(ctx)
	}
	begun := time.Now()
	a, err := t.exchange(request)
	a.elapsed = time.Since(begun)
	return t.keep(request, body, begun, a, err), err
}

// keep records an exchange, which began then; err is why it has no answer. It gives the answer with what is shown of it.
func (t *T) keep(request *http.Request, body []byte, begun time.Time, a answered, err error) answered {
	t.mask.learnFrom(a.raw)
	t.made.note(request, a)
	a.shown = t.made.shown(request, a)
	x := &Exchange{
		Elapsed: a.elapsed, Method: request.Method, URL: t.mask.text(request.URL.RequestURI()),
		Request: t.message(request.Header, body), Status: a.status, Response: t.message(recordedHeaders(a.header), a.shown),
	}
	if request.Body != nil && request.Body != http.NoBody && body == nil {
		x.Request.Body = "(a stream)"
	}
	if err != nil {
		x.Broken = t.mask.text(err.Error())
	}
	step := Step{At: begun.Sub(t.begun), Exchange: x, Tidy: t.tidying}
	if t.tries > 0 {
		step.Poll, step.Try = t.polls, t.tries
	}
	t.steps = append(t.steps, step)
	return a
}

func (t *T) exchange(request *http.Request) (a answered, err error) {
	response, err := t.http.Do(request)
	if err != nil {
		return a, err
	}
	defer func() { _ = response.Body.Close() }()
	a.status, a.header = response.StatusCode, response.Header
	a.raw, err = io.ReadAll(response.Body)
	return a, err
}

func (t *T) message(header http.Header, body []byte) Message {
	text, over := body, ""
	if len(body) > mostRecorded {
		text, over = body[:mostRecorded], fmt.Sprintf("... (%d bytes)", len(body))
	}
	return Message{Header: t.mask.header(header), Body: t.mask.text(strings.ToValidUTF8(string(text), "\uFFFD")) + over}
}

// recordedHeaders are the headers of an answer that the contract or an emulator has something to say with.
func recordedHeaders(all http.Header) http.Header {
	kept := http.Header{}
	for name, values := range all {
		switch name {
		case "Content-Type", "Vary", "Allow", "Location", "Retry-After", "Www-Authenticate":
			kept[name] = values
		default:
			if strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-Emu-") {
				kept[name] = values
			}
		}
	}
	return kept
}

// String is the exchange in two lines, bodies cut.
func (x *Exchange) String() string {
	request := x.Method + " " + x.URL + " " + short([]byte(x.Request.Body))
	if x.Broken != "" {
		return request + "\n\t-> no answer: " + x.Broken
	}
	text := fmt.Sprintf("%s\n\t-> %d in %s %s", request, x.Status, x.Elapsed.Round(time.Millisecond), short([]byte(x.Response.Body)))
	for _, why := range x.Response.Header.Values(explainHeader) {
		text += "\n\t   " + why
	}
	return text
}

// Log is what happened before and after the failures: exchanges and notes, in order.
func (r Result) Log() []string {
	var lines []string
	for _, s := range r.Steps {
		switch {
		case s.Exchange != nil:
			lines = append(lines, s.Exchange.String())
		case s.Note != "":
			lines = append(lines, s.Note)
		}
	}
	return lines
}

// polled makes of a condition one whose exchanges are recorded as tries, and are no more once end is called. A poll within a poll is
// part of the outer one.
func (t *T) polled(content func() bool) (try func() bool, end func()) {
	if t.tries > 0 {
		return content, func() {}
	}
	t.polls++
	try = func() bool {
		t.tries++
		return content()
	}
	return try, func() { t.tries = 0 }
}
