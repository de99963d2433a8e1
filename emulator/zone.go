package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/callsemu/callsemu/emulator/fault"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/openapi"
)

// zonePrefix is where everything lies that controls the emulator and is no part of the API.
const zonePrefix = "/_emu/"

// zone serves /_emu/: what tests and people need to look into the emulator and to move it. openapi/emu.yaml describes
// it. Programs reach it freely; web pages do not, unless they come from the zone itself (zone_guard.go).
type zone struct {
	registry *session.Registry
	faults   *fault.Set
	emulator *Emulator
	hosts    []string // accepted names besides the usual ones
	log      *slog.Logger
	rules    session.Rules    // at the start
	offers   []netip.AddrPort // advertised at the start
}

func newZone(e *Emulator) *zone {
	z := &zone{registry: e.registry, faults: e.faults, emulator: e, log: e.cfg.Logger, rules: e.registry.Rules(), offers: e.offers}
	for _, name := range slices.Concat(e.cfg.Hosts, e.cfg.TLSNames) {
		z.hosts = append(z.hosts, strings.ToLower(strings.TrimSpace(name)))
	}
	return z
}

// control is one call of the zone. Its summary is that of emu.yaml.
type control struct {
	method  string
	path    string // below zonePrefix
	summary string
	serve   func(r *http.Request) (body any, err error)
}

// controls is the whole zone but for its documents.
func (z *zone) controls() []control {
	return []control{
		{http.MethodGet, "", "This list", z.getIndex},
		{http.MethodGet, "state", "Everything that the emulator knows at this moment", z.getState},
		{http.MethodPost, "reset", "Close every session and adapter of one app, or of all", z.reset},
		{http.MethodGet, "clock", "What the clock of the rules shows", z.getClock},
		{http.MethodPost, "clock", "Freeze the clock, let it run, or advance it", z.setClock},
		{http.MethodGet, "settings", "What may change at run time, with its present value", z.getSettings},
		{http.MethodPut, "settings", "Change some settings", z.putSettings},
		{http.MethodGet, "faults", "The rules by which calls fail on purpose", z.getFaults},
		{http.MethodPost, "faults", "Make calls fail, wait, or publish silence", z.addFault},
		{http.MethodDelete, "faults", "Forget every rule", z.clearFaults},
		{http.MethodDelete, "faults/{id}", "Forget one rule", z.removeFault},
	}
}

// document is a file of the zone, which GET gives.
type document struct {
	path    string // below zonePrefix
	summary string
	serve   http.HandlerFunc
}

func (z *zone) documents() []document {
	return []document{
		{"emu.yaml", "This zone in OpenAPI: fields, defaults and examples of every call", serveYAML(openapi.EmuYAML)},
		{"openapi.yaml", "The emulated API in OpenAPI", serveYAML(openapi.YAML)},
		{"ca.pem", "The CA that a client has to trust for HTTPS", z.serveCA},
	}
}

// indexAnswer is the answer of GET /_emu/.
type indexAnswer struct {
	Calls []indexEntry `json:"calls"`
}

type indexEntry struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Summary string `json:"summary"`
}

func (z *zone) getIndex(*http.Request) (any, error) {
	var out indexAnswer
	for _, c := range z.controls() {
		out.Calls = append(out.Calls, indexEntry{c.method, zonePrefix + c.path, c.summary})
	}
	for _, d := range z.documents() {
		out.Calls = append(out.Calls, indexEntry{http.MethodGet, zonePrefix + d.path, d.summary})
	}
	return out, nil
}

func (z *zone) handler() http.Handler {
	router := newRouter()
	methods := map[string][]string{}
	for _, c := range z.controls() {
		router.Path(zonePrefix + c.path).Methods(c.method).Handler(z.control(c))
		methods[c.path] = append(methods[c.path], c.method)
	}
	for _, d := range z.documents() {
		router.Path(zonePrefix + d.path).Methods(http.MethodGet).Handler(d.serve)
		methods[d.path] = []string{http.MethodGet}
	}
	for path, allowed := range methods {
		router.Path(zonePrefix + path).Handler(refuseMethod(allowed))
	}
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answerZone(w, nil, zoneError{http.StatusNotFound, "the zone has no such path; " + zonePrefix + " lists them, " + zonePrefix + "emu.yaml describes them"})
	})
	return z.guard(router)
}

// control runs one call and logs it if it changed something.
func (z *zone) control(c control) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := c.serve(r)
		answerZone(w, body, err)
		switch {
		case err != nil:
			z.log.Warn("emu", "method", r.Method, "path", r.URL.Path, "error", err)
		case r.Method != http.MethodGet:
			z.log.Info("emu", "method", r.Method, "path", r.URL.Path)
		}
	})
}

// serveCA gives the CA to whoever wants to trust it. There is none where the certificate is the user's.
func (z *zone) serveCA(w http.ResponseWriter, _ *http.Request) {
	ca := z.emulator.CA()
	if ca == nil {
		answerZone(w, nil, zoneError{http.StatusNotFound, "the certificate was given by --tls-cert; trust what its issuer tells you to"})
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(ca)
}

func serveYAML(text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(text)
	}
}

func refuseMethod(allowed []string) http.Handler {
	list := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", list)
		answerZone(w, nil, zoneError{http.StatusMethodNotAllowed, "this path takes " + list})
	})
}

// zoneError is a call of the zone that was refused.
type zoneError struct {
	status int
	text   string
}

func (e zoneError) Error() string { return e.text }

// refuseControl refuses values that a caller sent.
func refuseControl(format string, args ...any) zoneError {
	return zoneError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// answerZone writes a body, or an error as {"error": text}.
func answerZone(w http.ResponseWriter, body any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		if refused, ok := err.(zoneError); ok { //nolint:errorlint // the zone's handlers return it unwrapped
			status = refused.status
		}
		body = map[string]string{"error": err.Error()}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ") // people read it with curl
	if err := encoder.Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// pathID is the variable at the end of a path.
func pathID(r *http.Request) string { return mux.Vars(r)["id"] }
