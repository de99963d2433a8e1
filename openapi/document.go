package openapi

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// YAML is openapi.yaml as it was built in.
//
//go:embed openapi.yaml
var YAML []byte

// Document is the loaded contract file.
type Document struct {
	spec    *openapi3.T
	router  routers.Router
	options *openapi3filter.Options
}

// Load parses and checks YAML. It fails only if the file itself is at fault,
// an unknown keyword and a bad example included. It takes some milliseconds:
// load once and share.
func Load() (*Document, error) { return load(YAML) }

func load(data []byte) (*Document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	router, err := gorillamux.NewRouter(spec)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return &Document{spec: spec, router: router, options: &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true, // a status that is not listed fails
	}}, nil
}

// Spec is the parsed file, for tests that compare it with something. It must
// not be changed.
func (d *Document) Spec() *openapi3.T { return d.spec }

// find returns the operation for a method and a path with either prefix, which
// may have a query. The error is routers.ErrPathNotFound or
// routers.ErrMethodNotAllowed where the file has no such operation.
func (d *Document) find(method, path string, header http.Header) (*openapi3filter.RequestValidationInput, error) {
	target, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	// Clients in the field send a bare "?" and keys without "=" (contract 0.3).
	r := &http.Request{Method: strings.ToUpper(method), URL: target, Header: header.Clone()}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return nil, err
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, Route: route, PathParams: params, Options: d.options,
	}, nil
}
