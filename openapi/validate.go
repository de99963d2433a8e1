package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

const jsonType = "application/json"

// ValidateRequest reports in one line why a request is not one that the API
// takes in some state of a session; nil if it is. path begins with /v1/apps/
// or /apps/ and may have a query. The body counts as JSON whatever the header
// says; Authorization is not looked at.
func (d *Document) ValidateRequest(method, path string, header http.Header, body []byte) error {
	fail := func(err error) error { return fmt.Errorf("request %s %s: %w", method, path, err) }
	in, err := d.find(method, path, header)
	if err != nil {
		return fail(readable(err))
	}
	in.Request.Header.Set("Content-Type", jsonType)
	if in.Route.Operation.RequestBody == nil {
		body = nil
	}
	if len(body) > 0 && !json.Valid(body) {
		return fail(errors.New("the body is not JSON"))
	}
	in.Request.Body = io.NopCloser(bytes.NewReader(body))
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		return fail(readable(err))
	}
	return nil
}

// ValidateResponse reports in one line what is wrong with the answer to a call
// of the given method and path: a status that is not listed, a Content-Type
// other than JSON, a header or a field that is missing, a field too many.
func (d *Document) ValidateResponse(method, path string, status int, header http.Header, body []byte) error {
	fail := func(err error) error { return fmt.Errorf("answer %d to %s %s: %w", status, method, path, err) }
	in, err := d.find(method, path, nil)
	switch {
	case method == http.MethodOptions && !ofAccountAPI(path):
		in, err = d.preflight(status, body)
	case errors.Is(err, routers.ErrPathNotFound), errors.Is(err, routers.ErrMethodNotAllowed):
		in, err = d.outside(path), nil
	}
	if err != nil {
		return fail(readable(err))
	}
	if kind, _, _ := mime.ParseMediaType(header.Get("Content-Type")); kind == jsonType && !json.Valid(body) {
		return fail(errors.New("the body is not JSON"))
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in,
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                d.options,
	})
	if err != nil {
		return fail(readable(err))
	}
	return nil
}

// preflight is the input for the answer to OPTIONS, which is the same on every
// path (contract 9.1).
func (d *Document) preflight(status int, body []byte) (*openapi3filter.RequestValidationInput, error) {
	if status != http.StatusOK && status != http.StatusNoContent {
		return nil, errors.New("the status is not listed")
	}
	if len(body) > 0 {
		return nil, errors.New("a preflight has no body")
	}
	return d.shared(http.MethodOptions, map[int]string{status: "Preflight"}), nil
}

// outside is the input for answers to calls that the file does not list:
// credentials are checked before the route (contract 1.0, 8).
func (d *Document) outside(path string) *openapi3filter.RequestValidationInput {
	if ofAccountAPI(path) {
		return d.shared(http.MethodPost, map[int]string{
			http.StatusBadRequest:       "AccountBadRequest",
			http.StatusUnauthorized:     "AccountUnauthorized",
			http.StatusForbidden:        "AccountForbidden",
			http.StatusNotFound:         "AccountNotFound",
			http.StatusMethodNotAllowed: "AccountMethodNotAllowed",
		})
	}
	return d.shared(http.MethodPost, map[int]string{
		http.StatusUnauthorized:     "Unauthorized",
		http.StatusNotFound:         "NotFound",
		http.StatusMethodNotAllowed: "MethodNotAllowed",
		http.StatusNotAcceptable:    "NotAcceptable",
	})
}

// ofAccountAPI tells the paths of the account API, which has no CORS and its own
// form of errors (contract 8).
func ofAccountAPI(path string) bool { return strings.HasPrefix(path, "/client/v4/") }

// shared is the input of an operation that has only answers of
// components/responses.
func (d *Document) shared(method string, answers map[int]string) *openapi3filter.RequestValidationInput {
	responses := openapi3.NewResponsesWithCapacity(len(answers))
	for status, name := range answers {
		responses.Set(fmt.Sprint(status), d.spec.Components.Responses[name])
	}
	return &openapi3filter.RequestValidationInput{
		Request: &http.Request{Method: method},
		Route:   &routers.Route{Spec: d.spec, Operation: &openapi3.Operation{Responses: responses}},
		Options: d.options,
	}
}

// readable turns an error of kin-openapi, whose text prints whole schemas and
// values, into one line: where, and what is wrong there.
func readable(err error) error {
	var schema *openapi3.SchemaError
	var request *openapi3filter.RequestError
	var response *openapi3filter.ResponseError
	switch {
	case errors.Is(err, routers.ErrPathNotFound):
		return errors.New("no such path")
	case errors.Is(err, routers.ErrMethodNotAllowed):
		return errors.New("no such method on this path")
	case errors.As(err, &schema):
		return errors.New(subject(err) + describe(schema, nil))
	case errors.As(err, &request) && request.Err != nil:
		return errors.New(subject(err) + firstLine(request.Err))
	case errors.As(err, &response):
		return errors.New(firstLine(response))
	default:
		return errors.New(firstLine(err))
	}
}

// subject says what a schema was applied to, unless it is the body.
func subject(err error) string {
	var request *openapi3filter.RequestError
	if errors.As(err, &request) && request.Parameter != nil {
		return request.Parameter.In + " parameter " + request.Parameter.Name + ": "
	}
	var response *openapi3filter.ResponseError
	if errors.As(err, &response) && strings.HasPrefix(response.Reason, "response header") {
		return response.Reason + ": "
	}
	return ""
}

// describe gives place and reason of a schema error. Where alternatives are at
// fault, kin-openapi knows no more than that none of them fits: a plain
// fault beside the alternatives is a better reason, the x-message of the
// schema the second best.
func describe(e *openapi3.SchemaError, within []string) string {
	at := append(within[:len(within):len(within)], e.JSONPointer()...)
	switch e.SchemaField {
	case "anyOf", "oneOf":
		plain := *e.Schema
		plain.AnyOf, plain.OneOf = nil, nil
		if better := apply(&plain, e.Value, at); better != "" {
			return better
		}
	case "allOf":
		for _, part := range e.Schema.AllOf {
			if better := apply(part.Value, e.Value, at); better != "" {
				return better
			}
		}
	}
	return place(at) + ": " + reason(e)
}

func reason(e *openapi3.SchemaError) string {
	switch e.SchemaField {
	case "anyOf", "oneOf", "pattern":
		if own, ok := e.Schema.Extensions["x-message"].(string); ok {
			return own
		}
	}
	return firstLine(errors.New(e.Reason))
}

// apply describes the first fault of a value, empty if it fits.
func apply(schema *openapi3.Schema, value any, at []string) string {
	var e *openapi3.SchemaError
	if err := schema.VisitJSON(value); errors.As(err, &e) {
		return describe(e, at)
	}
	return ""
}

// place writes a JSON pointer the way the API's own texts do: tracks[0].mid.
func place(pointer []string) string {
	if len(pointer) == 0 {
		return "body"
	}
	var b strings.Builder
	for i, key := range pointer {
		switch {
		case strings.Trim(key, "0123456789") == "":
			b.WriteString("[" + key + "]")
		case i > 0:
			b.WriteString("." + key)
		default:
			b.WriteString(key)
		}
	}
	return b.String()
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
