package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// accountCall is one request of the account API (contract 8).
type accountCall struct {
	Method string
	Path   string // below /client/v4/accounts/{account}; with Root below /client/v4
	Body   any    // as in call

	Malformed string // as in call
	Blind     string
	Unlisted  bool
	Root      bool
	Account   string            // instead of the target's
	Header    map[string]string // instead of Authorization: Bearer with the target's token
}

// accountExchange is a request of the account API with its answer.
type accountExchange struct {
	t      *T
	call   accountCall
	path   string
	Status int
	Header http.Header
	Raw    []byte
	shown  []byte // Raw for texts
	Body   accountEnvelope
}

type accountEnvelope struct {
	Success bool `json:"success"`
	Errors  []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Result json.RawMessage `json:"result"`
}

// accountItem is an app or a TURN key.
type accountItem struct {
	UID      string    `json:"uid"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Secret   string    `json:"secret"`
	Key      string    `json:"key"`
}

// account sends a request and checks what holds for every answer: status and envelope agree, and both fit openapi.yaml.
func (t *T) account(ctx context.Context, c accountCall) *accountExchange {
	path := "/client/v4" + c.Path
	if !c.Root {
		path = "/client/v4/accounts/" + orElse(c.Account, t.target.AccountID) + c.Path
	}
	body := t.encode(c.Body)
	request, err := http.NewRequestWithContext(ctx, c.Method, t.target.accountURL()+strings.TrimPrefix(path, "/client/v4"), bytes.NewReader(body))
	t.Must(err)
	if c.Header == nil {
		c.Header = map[string]string{"Authorization": "Bearer " + t.target.AccountToken}
	}
	for name, value := range c.Header {
		request.Header.Set(name, value)
	}
	if !c.Unlisted && t.schema != nil {
		t.called[OperationID(t.schema, c.Method, path)] = true
		t.compareRequest(c.Method+" "+path, t.schema.ValidateRequest(c.Method, path, request.Header, body), c.Malformed, c.Blind)
	}
	a, err := t.send(request, body)
	t.Must(err)
	raw, shown := a.raw, a.shown
	x := &accountExchange{t: t, call: c, path: path, Status: a.status, Header: a.header, Raw: raw, shown: shown}
	t.target.Coverage.exchange(t.met, c.Method, path, "", body, a.status, raw)
	if err := json.Unmarshal(raw, &x.Body); err != nil {
		t.Fatalf("%s %s: %v: %s", c.Method, path, err, short(shown))
	}
	if x.Body.Success != (x.Status < 300) || x.Body.Success != (len(x.Body.Errors) == 0) {
		t.Errorf("%s %s: status %d with %s", c.Method, path, x.Status, short(shown))
	}
	if t.schema != nil {
		if err := t.schema.ValidateResponse(c.Method, path, x.Status, x.Header, raw); err != nil {
			t.Errorf("%s %s: the answer does not fit openapi.yaml: %v\n\t%s", c.Method, path, err, short(shown))
		}
	}
	return x
}

// accountURL is where the account API of the target is.
func (to Target) accountURL() string {
	if to.AccountURL != "" {
		return strings.TrimSuffix(to.AccountURL, "/")
	}
	return to.root() + "/client/v4"
}

// want ends the case unless the status is this one.
func (x *accountExchange) want(status int) *accountExchange {
	if x.Status != status {
		x.t.Fatalf("%s %s: status %d, want %d: %s", x.call.Method, x.path, x.Status, status, short(x.shown))
	}
	return x
}

// item is the result.
func (x *accountExchange) item() (item accountItem) {
	x.t.Must(json.Unmarshal(x.Body.Result, &item))
	return item
}

// items is the result of a list; those that the case has not made are there without what they are.
func (x *accountExchange) items() []accountItem {
	var list struct {
		Result []accountItem `json:"result"`
	}
	x.t.Must(json.Unmarshal(x.shown, &list))
	return list.Result
}

// wantError checks a failure against its row.
func (x *accountExchange) wantError(id string) {
	row, known := rowByID(id)
	if !known {
		x.t.Fatalf("no catalogue row %q", id)
	}
	x.t.checked[id] = true
	if len(x.Body.Errors) == 0 {
		x.t.Fatalf("%s %s: no error in %d %s", x.call.Method, x.path, x.Status, short(x.shown))
	}
	e := x.Body.Errors[0]
	if x.Status != row.Status || row.Code != "" && e.Code != row.number() || row.Text != "" && e.Message != row.Text {
		x.t.Errorf("%s %s: got %d %s, want %d %s %q", x.call.Method, x.path, x.Status, short(x.shown), row.Status, row.Code, row.Text)
	}
}
