package openapi

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func mustLoad(t *testing.T) *Document {
	t.Helper()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFaultsOfTheFileAreFoundWhenLoading(t *testing.T) {
	mustLoad(t)
	for name, edit := range map[string][2]string{
		"unknown keyword of an operation":   {"operationId: newSession", "operationID: newSession"},
		"unknown keyword of a schema":       {"      additionalProperties: false\n", "      aditionalProperties: false\n"},
		"example that does not fit":         {"example: {sessionId: e017", "example: {sessionId: g017"},
		"reference to nothing":              {"schemas/CloseTracksRequest\"", "schemas/ClosedTracksRequest\""},
		"operation id used twice":           {"operationId: renegotiate", "operationId: newSession"},
		"path parameter that is not listed": {"/tracks/close:", "/tracks/close/{mid}:"},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := bytes.Replace(YAML, []byte(edit[0]), []byte(edit[1]), 1)
			if bytes.Equal(damaged, YAML) {
				t.Fatalf("the file has no %q", edit[0])
			}
			if _, err := load(damaged); err == nil {
				t.Error("loaded")
			}
		})
	}
}

func TestEveryOperationHasEveryDocumentedStatus(t *testing.T) {
	const session, tracks = "/apps/{appId}/sessions", "/apps/{appId}/sessions/{sessionId}/tracks"
	const data = "/apps/{appId}/sessions/{sessionId}/datachannels"
	const turn = "/turn/keys/{keyId}/credentials"
	const account = "/client/v4/accounts/{accountId}/calls"
	want := map[string][]int{
		"POST " + session + "/new":                    {201, 400, 401, 404, 406, 413, 429, 500, 503},
		"GET " + session + "/{sessionId}":             {200, 401, 404, 410, 429, 500, 503},
		"DELETE " + session + "/{sessionId}":          {401, 404, 405},
		"POST " + tracks + "/new":                     {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"PUT " + session + "/{sessionId}/renegotiate": {200, 400, 401, 404, 406, 409, 410, 413, 429, 500, 503},
		"PUT " + tracks + "/update":                   {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"PUT " + tracks + "/close":                    {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"POST " + data + "/establish":                 {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"POST " + data + "/new":                       {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"PUT " + data + "/update":                     {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"PUT " + data + "/close":                      {200, 400, 401, 404, 406, 409, 410, 413, 425, 429, 500, 503},
		"POST " + turn + "/generate-ice-servers":      {201, 400, 401, 404, 413, 500},
		"POST " + turn + "/generate":                  {201, 400, 401, 404, 413, 500},
		"POST " + turn + "/{username}/revoke":         {204, 401, 404, 500},
		"GET " + account + "/apps":                    {200, 400, 401, 403, 404, 500},
		"POST " + account + "/apps":                   {201, 400, 401, 403, 404, 413, 500},
		"GET " + account + "/apps/{itemId}":           {200, 400, 401, 403, 404, 500},
		"PUT " + account + "/apps/{itemId}":           {200, 400, 401, 403, 404, 413, 500},
		"DELETE " + account + "/apps/{itemId}":        {200, 400, 401, 403, 404, 500},
		"GET " + account + "/turn_keys":               {200, 400, 401, 403, 404, 500},
		"POST " + account + "/turn_keys":              {201, 400, 401, 403, 404, 413, 500},
		"GET " + account + "/turn_keys/{itemId}":      {200, 400, 401, 403, 404, 500},
		"PUT " + account + "/turn_keys/{itemId}":      {200, 400, 401, 403, 404, 413, 500},
		"DELETE " + account + "/turn_keys/{itemId}":   {200, 400, 401, 403, 404, 500},
		"POST /apps/{appId}/adapters/websocket/new":   {200, 400, 401, 404, 406, 413, 500, 503},
		"POST /apps/{appId}/adapters/websocket/close": {200, 400, 401, 404, 406, 413, 500, 503},
		"GET /healthz":                                {200},
		"GET /readyz":                                 {200, 503},
		"GET /_emu/openapi.yaml":                      {200},
	}
	got := map[string][]int{}
	eachOperation(mustLoad(t), func(name string, op *openapi3.Operation) {
		for status := range op.Responses.Map() {
			var n int
			if _, err := fmt.Sscan(status, &n); err != nil {
				t.Errorf("%s: status %q", name, status)
			}
			got[name] = append(got[name], n)
		}
		slices.Sort(got[name])
	})
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestContractSectionsAreNamed also sees to it that the sections exist.
func TestContractSectionsAreNamed(t *testing.T) {
	contract, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	d := mustLoad(t)
	check := func(what string, extensions map[string]any) {
		text, _ := extensions["x-contract"].(string)
		if text == "none" && strings.Contains(what, " /") && !strings.Contains(what, "/apps/") {
			return // outside the emulated service
		}
		sections := regexp.MustCompile(`\b\d+(\.\d+)?\b`).FindAllString(text, -1)
		if len(sections) == 0 {
			t.Errorf("%s: x-contract %q names no section", what, text)
		}
		for _, s := range sections {
			heading := regexp.MustCompile(`(?m)^##+ ` + regexp.QuoteMeta(s) + `\.? `)
			if !heading.Match(contract) {
				t.Errorf("%s: contract has no section %s", what, s)
			}
		}
		for _, code := range regexp.MustCompile(`[a-z]+(_[a-z]+)+`).FindAllString(text, -1) {
			if !bytes.Contains(contract, []byte("`"+code+"`")) {
				t.Errorf("%s: contract has no error %s", what, code)
			}
		}
	}
	eachOperation(d, func(name string, op *openapi3.Operation) {
		check(name, op.Extensions)
		for status, r := range op.Responses.Map() {
			check(name+" "+status, r.Value.Extensions)
		}
	})
	for name, r := range d.Spec().Components.Responses {
		check("answer "+name, r.Value.Extensions)
	}
}

// TestAnswersAreClosed keeps every object of an answer free of fields that the
// contract does not list.
func TestAnswersAreClosed(t *testing.T) {
	eachOperation(mustLoad(t), func(name string, op *openapi3.Operation) {
		for status, r := range op.Responses.Map() {
			media := r.Value.Content[jsonType]
			if media == nil {
				continue
			}
			closed(t, name+" "+status, media.Schema.Value)
		}
	})
}

func closed(t *testing.T, at string, s *openapi3.Schema) {
	t.Helper()
	if s.Type.Is("object") {
		if s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has {
			t.Errorf("%s: additionalProperties is not false", at)
		}
		for name, p := range s.Properties {
			closed(t, at+"."+name, p.Value)
		}
	}
	if s.Type.Is("array") {
		closed(t, at+"[]", s.Items.Value)
	}
	if s.Type == nil && len(s.AllOf) > 0 {
		closed(t, at, s.AllOf[0].Value)
	}
}

func eachOperation(d *Document, do func(name string, op *openapi3.Operation)) {
	for path, item := range d.Spec().Paths.Map() {
		for method, op := range item.Operations() {
			do(method+" "+path, op)
		}
	}
}

func TestBothPrefixesLead(t *testing.T) {
	d := mustLoad(t)
	for path, want := range map[string]string{
		"/v1/apps/a/sessions/new":                   "",
		"/apps/a/sessions/new":                      "",
		"/apps/a/sessions/new?":                     "",
		"/apps/a/sessions/new?streamDebug":          "",
		"/apps/a/sessions/new?thirdparty=true&x=%7": "",
		"/healthz":                   "request POST /healthz: no such method on this path",
		"/v2/apps/a/sessions/new":    "request POST /v2/apps/a/sessions/new: no such path",
		"/v1/apps/a/sessions/new/":   "request POST /v1/apps/a/sessions/new/: no such path",
		"/v1/apps//sessions/new":     "request POST /v1/apps//sessions/new: no such path",
		"/v1/v1/apps/a/sessions/new": "request POST /v1/v1/apps/a/sessions/new: no such path",
	} {
		err := d.ValidateRequest(http.MethodPost, path, nil, nil)
		if got := text(err); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
