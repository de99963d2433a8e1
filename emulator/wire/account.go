package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Envelope is every answer of the account API, Cloudflare's v4 envelope (contract 8). Result is null where Success is false.
type Envelope struct {
	Success  bool              `json:"success"`
	Errors   []EnvelopeMessage `json:"errors"`   // empty, not absent, on success
	Messages []EnvelopeMessage `json:"messages"` // always empty
	Result   any               `json:"result"`
}

// EnvelopeMessage is one error of an Envelope.
type EnvelopeMessage struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Source  *EnvelopeSource `json:"source,omitempty"`
}

// EnvelopeSource points at the field of the request that is at fault.
type EnvelopeSource struct {
	Pointer string `json:"pointer"` // a JSON pointer, such as /name
}

// AccountRequest is the body by which an app or a TURN key is made or changed. Name is nil where the request has none.
type AccountRequest struct {
	Name *string `json:"name"`
}

// AccountItem is an app or a TURN key. Times are RFC 3339 in UTC.
type AccountItem struct {
	UID      string `json:"uid"`
	Name     string `json:"name"`
	Created  string `json:"created"`
	Modified string `json:"modified"`
}

// NewAccountApp is an app at its creation, the only time that its secret is shown.
type NewAccountApp struct {
	UID      string `json:"uid"`
	Name     string `json:"name"`
	Created  string `json:"created"`
	Modified string `json:"modified"`
	Secret   string `json:"secret"`
}

// NewTURNKey is a TURN key at its creation. Its token has two names: key in the API's description and the SDKs, secret in
// what the service was seen to send (contract 8).
type NewTURNKey struct {
	UID      string `json:"uid"`
	Name     string `json:"name"`
	Created  string `json:"created"`
	Modified string `json:"modified"`
	Key      string `json:"key"`
	Secret   string `json:"secret"`
}

// Success wraps a result.
func Success(result any) Envelope {
	return Envelope{Success: true, Errors: []EnvelopeMessage{}, Messages: []EnvelopeMessage{}, Result: result}
}

// Envelope is the error as the account API writes it. Rows that other APIs share have no number of their own; the status
// stands in for it.
func (e *Error) Envelope() Envelope {
	m := EnvelopeMessage{Code: e.Status, Message: e.Description}
	if n, err := strconv.Atoi(e.Code); err == nil {
		m.Code = n
	}
	if e.Pointer != "" {
		m.Source = &EnvelopeSource{Pointer: e.Pointer}
	}
	return Envelope{Errors: []EnvelopeMessage{m}, Messages: []EnvelopeMessage{}}
}

// OfAccountAPI reports whether only the account API answers with the row; its code is a number then.
func (r Row) OfAccountAPI() bool { return strings.HasPrefix(r.Rule, "ACC-") }

// DecodeAccount is Decode for the account API. No body is as good as an empty object.
func DecodeAccount(body []byte, into *AccountRequest) *Error {
	if len(body) == 0 {
		return nil
	}
	refused := Decode(body, into)
	if refused == nil {
		return nil
	}
	_, fact, _ := strings.Cut(refused.Explain, ": ")
	e := Refuse(AccountBodyInvalid, "%s", fact)
	if refused.Problem == BodyFieldsInvalid { // the request has but one field
		return e.at("/name")
	}
	return e
}

// Validate bounds the name, in characters (contract 1.15).
func (r *AccountRequest) Validate(longest int) *Error {
	if r.Name == nil {
		return nil
	}
	if n := utf8.RuneCountInString(*r.Name); n > longest {
		return Refuse(AccountBodyInvalid, "the name has %d characters; callsemu takes %d at most", n, longest).at("/name")
	}
	return nil
}

func (e *Error) at(pointer string) *Error {
	e.Pointer = pointer
	return e
}
