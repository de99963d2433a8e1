package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
)

// call is one request on its way through the front.
type call struct {
	front     *front
	request   *http.Request
	began     time.Time
	app       *session.App
	token     string // the caller's; to be hidden
	sessionID string // from the path, or the new one
	envelope  bool   // answers in the account API's form
}

// explained is an answer of status 200 that knows why items of it failed.
type explained interface {
	Explanations() []string
}

// endpoint serves a call whose app is authorized: a status and a body, or an error.
type endpoint func(c *call) (status int, body any, err error)

// validated is a request type with the pure checks of contract 1.0 step 6.
type validated[In any] interface {
	*In
	Validate() *wire.Error
}

// read is the request of a call, decoded and valid.
func read[In any, P validated[In]](c *call) (*In, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	in := new(In)
	if refused := wire.Decode(body, in); refused != nil {
		return nil, refused
	}
	if refused := P(in).Validate(); refused != nil {
		return nil, refused
	}
	return in, nil
}

// withBody is the endpoint of an operation on a session that takes a body.
func withBody[In, Out any, P validated[In]](
	operate func(context.Context, *session.App, string, *In) (*Out, error),
) endpoint {
	return func(c *call) (int, any, error) {
		in, err := read[In, P](c)
		if err != nil {
			return 0, nil, err
		}
		out, err := operate(c.request.Context(), c.app, c.sessionID, in)
		return http.StatusOK, out, err
	}
}

// onApp is the endpoint of an operation on an app whose items succeed or fail one by one; the answer knows its status.
func onApp[In any, Out interface{ Status() int }, P validated[In]](
	operate func(context.Context, *session.App, *In) (Out, error),
) endpoint {
	return func(c *call) (int, any, error) {
		in, err := read[In, P](c)
		if err != nil {
			return 0, nil, err
		}
		out, err := operate(c.request.Context(), c.app, in)
		if err != nil {
			return 0, nil, err
		}
		return out.Status(), out, nil
	}
}

// withoutBody is the endpoint of an operation on a session that only reads. Some clients send a body nevertheless; it
// is not looked at.
func withoutBody[Out any](operate func(context.Context, *session.App, string) (*Out, error)) endpoint {
	return func(c *call) (int, any, error) {
		out, err := operate(c.request.Context(), c.app, c.sessionID)
		return http.StatusOK, out, err
	}
}

// newSession differs from the rest: no body is as good as an offer, there is no session yet, and it answers 201
// (contract 1.1).
func newSession(r *session.Registry) endpoint {
	return func(c *call) (int, any, error) {
		body, err := c.body()
		if err != nil {
			return 0, nil, err
		}
		var in *wire.NewSessionRequest
		if len(body) > 0 {
			in = new(wire.NewSessionRequest)
			if refused := wire.Decode(body, in); refused != nil {
				return 0, nil, refused
			}
		}
		if refused := in.Validate(); refused != nil {
			return 0, nil, refused
		}
		var options []session.Option
		if third, err := strconv.ParseBool(c.request.URL.Query().Get("thirdparty")); err == nil && third {
			options = append(options, session.ThirdParty())
		}
		out, err := r.NewSession(c.request.Context(), c.app, in, options...)
		if err != nil {
			return 0, nil, err
		}
		c.sessionID = out.SessionID
		return http.StatusCreated, out, nil
	}
}

// refusing is the endpoint of what exists only to be refused, after the checks of app and secret.
func refusing(refused *wire.Error) endpoint {
	return func(*call) (int, any, error) { return 0, nil, refused }
}

// handler runs an endpoint after steps 1 and 2 of contract 1.0 and answers in every case, a panic included.
func (f *front) handler(serve endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := f.begin(r)
		status, body, err := c.run(serve)
		c.finish(w, status, body, err)
	})
}

func (f *front) begin(r *http.Request) *call {
	c := &call{front: f, request: r, began: time.Now(), sessionID: mux.Vars(r)["sessionId"]}
	c.token, _ = bearer(r, "") // to be hidden, though nobody may ask for it
	return c
}

func (c *call) run(serve endpoint) (status int, body any, err error) {
	return c.guarded(func() (int, any, error) {
		var err error
		if c.token, err = bearer(c.request, "app secret"); err != nil {
			return 0, nil, err
		}
		if c.app, err = c.front.registry.Authorize(mux.Vars(c.request)["appId"], c.token); err != nil {
			return 0, nil, err
		}
		c.accepted(account.App, mux.Vars(c.request)["appId"])
		return serve(c)
	})
}

// faulty does what a call is for, which is what rules for faults hit: its credentials and its body are good.
func (c *call) faulty(as session.Call, do func() (int, any, error)) (status int, body any, err error) {
	err = c.front.registry.Faulty(c.request.Context(), as, func() (err error) {
		status, body, err = do()
		return err
	})
	return status, body, err
}

// guarded makes an error of a panic.
func (c *call) guarded(serve func() (int, any, error)) (status int, body any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			c.front.log.Error("panic", "value", p, "stack", string(debug.Stack()))
		}
	}()
	return serve()
}

// bearer reads the token, which is called what; the scheme is compared without case (contract 9.2).
func bearer(r *http.Request, what string) (string, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	token = strings.TrimSpace(token)
	switch {
	case scheme == "":
		return "", wire.Refuse(wire.Unauthorized, "no Authorization header; send Authorization: Bearer <%s>", what)
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", wire.Refuse(wire.Unauthorized, "the Authorization header is not of the form Bearer <%s>", what)
	}
	return token, nil
}

// body reads the request's body up to the limit. Of a larger one, no more than the limit is ever held.
func (c *call) body() ([]byte, error) {
	limit := int64(c.front.registry.Rules().MaxBody)
	body, err := io.ReadAll(io.LimitReader(c.request.Body, limit+1))
	if err != nil {
		return nil, wire.Refuse(wire.BodyUndecodable, "the body ended early: %v", err)
	}
	if int64(len(body)) <= limit {
		return body, nil
	}
	return nil, wire.Refuse(wire.BodyTooLarge, "the body has more than %d bytes; --set max-body=BYTES moves the limit", limit)
}

// finish encodes the answer once, explains what was refused in the header where that is on, and logs the call in one
// line, and one more for each item that failed.
func (c *call) finish(w http.ResponseWriter, status int, body any, err error) {
	refused := c.refusal(err)
	if refused != nil {
		status, body = refused.Status, refused
		if c.envelope {
			body = refused.Envelope()
		}
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(body); err != nil {
		c.finish(w, 0, nil, fmt.Errorf("encode the answer: %w", err)) // an error's body always encodes
		return
	}
	why := c.explanations(refused, body)
	if c.front.explain {
		setExplain(w.Header(), why)
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		c.log(status, refused, why)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // a client that is gone needs no answer
	c.log(status, refused, why)
}

// explanations says why the call was refused, or which items of it failed and why; nothing for a full success.
func (c *call) explanations(refused *wire.Error, body any) []string {
	var why []string
	if refused != nil {
		why = []string{refused.Explain}
	} else if answer, ok := body.(explained); ok {
		why = answer.Explanations()
	}
	for i := range why {
		why[i] = c.hide(why[i])
	}
	return why
}

// refusal is the API's error for what went wrong; nil for nothing.
func (c *call) refusal(err error) *wire.Error {
	var refused *wire.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused
	case c.request.Context().Err() != nil:
		return wire.Refuse(wire.Internal, "the client went away, or the emulator is closing")
	default:
		return wire.Refuse(wire.Internal, "a fault of the emulator: %v; please report it", err)
	}
}

// path is that of the request without what must not be logged: the token, and any username of TURN, which is half of a
// credential, though it may be none of ours.
func (c *call) path() string {
	return hideSecrets(c.hide(c.request.URL.Path), mux.Vars(c.request)["username"])
}

// log writes the call's one line, and one for each failed item; both are warnings where anything was refused. No header is in them, and
// so no secret.
func (c *call) log(status int, refused *wire.Error, why []string) {
	ctx := context.WithoutCancel(c.request.Context())
	about := []slog.Attr{slog.String("method", c.request.Method), slog.String("path", c.path())}
	if c.sessionID != "" {
		about = append(about, slog.String("session", c.hide(c.sessionID)))
	}
	attrs := append(slices.Clone(about),
		slog.Int("status", status),
		slog.String("took", time.Since(c.began).Round(time.Microsecond).String()), // with its unit in JSON, too
	)
	level := slog.LevelInfo
	if status >= http.StatusBadRequest || len(why) > 0 {
		level = slog.LevelWarn
	}
	if refused != nil {
		attrs = append(attrs, slog.String("code", refused.Code), slog.String("why", why[0]))
		if refused.Problem == wire.Internal && c.request.Context().Err() == nil {
			level = slog.LevelError
		}
	}
	c.front.log.LogAttrs(ctx, level, "api", attrs...)
	if refused != nil {
		return
	}
	for _, w := range why {
		c.front.log.LogAttrs(ctx, slog.LevelWarn, "item failed", append(slices.Clone(about), slog.String("why", w))...)
	}
}
