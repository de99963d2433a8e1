package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/openapi"
)

// call is one request. The zero value of everything but Method and Path is the ordinary case.
type call struct {
	Method string
	Path   string // below /apps/{appId}, or, with TURN, below /turn/keys/{keyId}/credentials
	TURN   bool
	Body   any // nil: no body; string, []byte: as they are; anything else: as JSON

	Malformed string // what the schema must refuse as well
	Blind     string // malformed in a way that the schema cannot see: why
	Unlisted  bool   // path or method that openapi.yaml does not have

	App, Secret string // instead of the target's; with TURN, the key and its token
	Auth        *string
	Header      map[string]string
	WithoutV1   bool
	Query       string
	Stream      io.Reader // instead of Body, chunked and unchecked
	ContentType *string   // instead of application/json; "" sends none
}

// exchange is a request with its answer.
type exchange struct {
	t       *T
	call    call
	Status  int
	Header  http.Header
	Raw     []byte
	Body    answerBody
	Elapsed time.Duration
}

// do sends a request and checks what holds for every exchange.
func (t *T) do(ctx context.Context, c call) *exchange {
	x, err := t.try(ctx, c)
	if err != nil {
		t.Fatalf("%s %s: %v", c.Method, c.Path, err)
	}
	return x
}

// try is do with transport errors given back.
func (t *T) try(ctx context.Context, c call) (*exchange, error) {
	body := t.encode(c.Body)
	request, err := t.request(ctx, c, body)
	if err != nil {
		return nil, err
	}
	t.checkRequest(c, request, body)
	a, err := t.send(request, body)
	if err != nil {
		return nil, err
	}
	x := &exchange{t: t, call: c, Status: a.status, Header: a.header, Raw: a.raw, Elapsed: a.elapsed}
	t.target.Coverage.exchange(t.met, c.Method, t.path(c), c.Query, body, x.Status, a.raw)
	if c.Method == http.MethodOptions || x.Status == http.StatusNoContent {
		x.checkSchema() // nor has a preflight a body
	} else {
		x.checkEvery()
	}
	return x, nil
}

func (t *T) encode(body any) []byte {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	case []byte:
		return b
	}
	encoded, err := json.Marshal(body)
	t.Must(err)
	return encoded
}

func (t *T) request(ctx context.Context, c call, body []byte) (*http.Request, error) {
	var reader io.Reader
	switch {
	case c.Stream != nil:
		reader = c.Stream
	case body != nil:
		reader = bytes.NewReader(body)
	}
	prefix := "/v1"
	if c.WithoutV1 {
		prefix = ""
	}
	url := t.target.BaseURL + prefix + t.path(c) + c.Query
	request, err := http.NewRequestWithContext(ctx, c.Method, url, reader)
	if err != nil {
		return nil, err
	}
	secret := t.target.Secret
	if c.TURN {
		secret = t.target.TURNKeyToken
	}
	request.Header.Set("Authorization", "Bearer "+orElse(c.Secret, secret))
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.ContentType != nil {
		request.Header["Content-Type"] = nil
		if *c.ContentType != "" {
			request.Header.Set("Content-Type", *c.ContentType)
		}
	}
	if c.Auth != nil {
		request.Header.Del("Authorization")
		if *c.Auth != "" {
			request.Header.Set("Authorization", *c.Auth)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		request.Header.Set(name, c.Header[name])
	}
	return request, nil
}

func (t *T) path(c call) string {
	if c.TURN {
		return "/turn/keys/" + orElse(c.App, t.target.TURNKeyID) + "/credentials" + c.Path
	}
	return "/apps/" + orElse(c.App, t.target.AppID) + c.Path
}

// schemaPath is the path as openapi.yaml looks it up: those of TURN have one prefix alone.
func (t *T) schemaPath(c call) string {
	if c.TURN {
		return "/v1" + t.path(c)
	}
	return t.path(c)
}

// OperationID is the operationId of a call, "" for one that openapi.yaml does not have.
func OperationID(schema *openapi.Document, method, path string) string {
	for template, item := range schema.Spec().Paths.Map() {
		if op := item.GetOperation(method); op != nil && matches(template, path) {
			return op.OperationID
		}
	}
	return ""
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, segment := range want {
		if segment != got[i] && !strings.HasPrefix(segment, "{") {
			return false
		}
	}
	return true
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// checkRequest compares the request with the schema, as JSON whatever Content-Type goes out.
func (t *T) checkRequest(c call, request *http.Request, body []byte) {
	if c.Unlisted || c.Stream != nil || t.schema == nil {
		return
	}
	t.called[OperationID(t.schema, c.Method, t.path(c))] = true
	t.compareRequest(c.Method+" "+c.Path, t.schema.ValidateRequest(c.Method, t.schemaPath(c), request.Header, body), c.Malformed, c.Blind)
}

// compareRequest holds what the schema says of a request against what the case means it to be: malformed, malformed in a
// way that the schema is blind to, or valid.
func (t *T) compareRequest(request string, err error, malformed, blind string) {
	switch {
	case malformed != "" && err == nil:
		t.Errorf("%s: the schema accepts a request that is malformed (%s)", request, malformed)
	case malformed == "" && blind == "" && err != nil:
		t.Errorf("%s: the schema refuses a request that is meant to be valid: %v", request, err)
	case blind != "" && err != nil:
		t.Errorf("%s: the schema sees a fault that it is said not to see (%s): %v", request, blind, err)
	}
}

// unknown says whether the contract leaves the form of the answer open: that of a service to an unknown path or a wrong method (contract
// 1.8, 1.14).
func (x *exchange) unknown() bool {
	return !x.t.target.Emulator && x.Status/100 == 4 && (x.call.Unlisted || x.Status == http.StatusMethodNotAllowed)
}

// checkEvery checks what holds for every answer (contract 0.3, 9.1) and compares it with the schema. Of the TURN endpoints of a service the
// contract knows no Vary.
func (x *exchange) checkEvery() {
	if x.unknown() {
		_ = json.Unmarshal(x.Raw, &x.Body)
		return
	}
	if kind := x.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		x.t.Errorf("%s: Content-Type is %q", x, kind)
	}
	if (x.t.target.Emulator || !x.call.TURN) && !slices.ContainsFunc(x.Header.Values("Vary"), func(v string) bool { return strings.Contains(v, "Origin") }) {
		x.t.Errorf("%s: no Vary: Origin", x)
	}
	var object map[string]any
	if err := json.Unmarshal(x.Raw, &object); err != nil || object == nil {
		x.t.Fatalf("%s: the body is not a JSON object: %s", x, short(x.Raw))
	}
	if err := json.Unmarshal(x.Raw, &x.Body); err != nil {
		x.t.Errorf("%s: %v", x, err)
	}
	_, code := object["errorCode"]
	_, text := object["errorDescription"]
	_, items := object["tracks"]
	allFailed := x.Status == http.StatusServiceUnavailable && items // adapters alone answer so (contract 5.1)
	failed := x.Status >= 300 && !allFailed
	if failed != code || failed != text {
		x.t.Errorf("%s: errorCode present: %t, errorDescription present: %t", x, code, text)
	}
	x.checkExplained()
	x.checkSchema()
}

func (x *exchange) checkSchema() {
	if x.t.schema == nil {
		return
	}
	if err := x.t.schema.ValidateResponse(x.call.Method, x.t.schemaPath(x.call), x.Status, x.Header, x.Raw); err != nil {
		x.t.Errorf("%s: the answer does not fit openapi.yaml: %v\n\t%s", x, err, short(x.Raw))
	}
}

func (x *exchange) String() string { return x.call.Method + " " + x.call.Path }

// want ends the case unless the status is this one.
func (x *exchange) want(status int) *exchange {
	if x.Status != status {
		x.t.Fatalf("%s: status %d, want %d: %s", x, x.Status, status, short(x.Raw))
	}
	return x
}

// row ends the case if the catalogue has no such row; what a case asks for counts as checked.
func (x *exchange) row(id string) Row {
	row, known := rowByID(id)
	if !known {
		x.t.Fatalf("the case checks for the error %q, which is no row of conformance/catalogue.go", id)
	}
	x.t.checked[id] = true
	return row
}

// wantError checks a top-level error against its row.
func (x *exchange) wantError(id string) *exchange {
	row := x.row(id)
	b := x.Body
	if x.unknown() && x.Status == row.Status {
		return x
	}
	if x.Status != row.Status || row.Code != "" && b.ErrorCode != row.Code || row.Text != "" && b.ErrorDescription != row.Text {
		x.t.Errorf("%s: got %d %s %q, want %d %s %q", x, x.Status, b.ErrorCode, b.ErrorDescription, row.Status, row.Code, row.Text)
	}
	return x
}

// wantItemError checks one item of a 200 against its row.
func (x *exchange) wantItemError(index int, id string) *exchange {
	item := x.item(index)
	return x.wantRow(id, fmt.Sprintf("item %d", index), item.ErrorCode, item.ErrorDescription)
}

// channel is one item of dataChannels; it ends the case if there are too few.
func (x *exchange) channel(index int) channelRow {
	if index >= len(x.Body.DataChannels) {
		x.t.Fatalf("%s: %d data channels, want one at %d: %s", x, len(x.Body.DataChannels), index, short(x.Raw))
	}
	return x.Body.DataChannels[index]
}

// wantChannelError checks one data channel of a 200 against its row.
func (x *exchange) wantChannelError(index int, id string) *exchange {
	item := x.channel(index)
	return x.wantRow(id, fmt.Sprintf("data channel %d", index), item.ErrorCode, item.ErrorDescription)
}

// wantRow compares one part of the answer, by its name, with its row.
func (x *exchange) wantRow(id, part, code, text string) *exchange {
	if row := x.row(id); code != row.Code || row.Text != "" && text != row.Text {
		x.t.Errorf("%s: %s has %s %q, want %s %q", x, part, code, text, row.Code, row.Text)
	}
	return x
}

// item ends the case if there are too few.
func (x *exchange) item(index int) answerItem {
	if index >= len(x.Body.Tracks) {
		x.t.Fatalf("%s: %d items, want one at %d: %s", x, len(x.Body.Tracks), index, short(x.Raw))
	}
	return x.Body.Tracks[index]
}

// wantFields checks the exact field names of the answer, or with a list name and index of one item.
func (x *exchange) wantFields(names ...string) *exchange {
	var object map[string]any
	x.t.Must(json.Unmarshal(x.Raw, &object))
	x.compareFields("the answer", object, names)
	return x
}

func (x *exchange) wantItemFields(index int, names ...string) *exchange {
	x.item(index)
	var object struct {
		Tracks []map[string]any `json:"tracks"`
	}
	x.t.Must(json.Unmarshal(x.Raw, &object))
	x.compareFields(fmt.Sprintf("item %d", index), object.Tracks[index], names)
	return x
}

func (x *exchange) wantChannelFields(index int, names ...string) {
	x.channel(index)
	var object struct {
		DataChannels []map[string]any `json:"dataChannels"`
	}
	x.t.Must(json.Unmarshal(x.Raw, &object))
	x.compareFields(fmt.Sprintf("data channel %d", index), object.DataChannels[index], names)
}

func (x *exchange) compareFields(what string, object map[string]any, names []string) {
	got := slices.Sorted(maps.Keys(object))
	want := slices.Sorted(slices.Values(names))
	if !slices.Equal(got, want) {
		x.t.Errorf("%s: %s has the fields %v, want %v", x, what, got, want)
	}
}

// sdp ends the case unless there is an SDP of this type.
func (x *exchange) sdp(kind string) string {
	if x.Body.SessionDescription == nil || x.Body.SessionDescription.Type != kind {
		x.t.Fatalf("%s: no %s in %s", x, kind, short(x.Raw))
	}
	return x.Body.SessionDescription.SDP
}

// wantRenegotiation checks the flag, which must be present.
func (x *exchange) wantRenegotiation(want bool) *exchange {
	if got := x.Body.RequiresImmediateRenegotiation; got == nil || *got != want {
		x.t.Errorf("%s: requiresImmediateRenegotiation is not %t: %s", x, want, short(x.Raw))
	}
	return x
}

func short(b []byte) string {
	const most = 700
	if len(b) > most {
		return fmt.Sprintf("%s... (%d bytes)", b[:most], len(b))
	}
	return string(b)
}
