package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/callsemu/callsemu/openapi"
)

// Coverage collects what cases really sent and saw, as [Demands] names it: of a case that passed, and that judges. It may be
// used concurrently; a nil Coverage collects nothing.
type Coverage struct {
	schema  *openapi.Document
	demands map[string]bool

	mu    sync.Mutex
	seen  map[string]map[string]bool // demand: ids of the cases that met it and passed
	calls map[string]map[string]bool // id of a case: the operations that it called
}

// NewCoverage collects what meets the demands of openapi.yaml and of the error rows.
func NewCoverage(schema *openapi.Document) *Coverage {
	c := &Coverage{schema: schema, demands: map[string]bool{}, seen: map[string]map[string]bool{}, calls: map[string]map[string]bool{}}
	for _, demand := range Demands(schema) {
		c.demands[demand] = true
	}
	return c
}

// Calls are the operations that a case called, in order of their names, and whether it has run at all, whatever became of it.
func (c *Coverage) Calls(id string) (operations []string, ran bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set, ran := c.calls[id]
	return slices.Sorted(maps.Keys(set)), ran
}

// Cases are the ids of the cases that met a demand and passed.
func (c *Coverage) Cases(demand string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.seen[demand]))
}

// ended notes a case that has run, with the operations that it called. The demands that it met and the rows that it checked
// count if it passed and judges: what nothing was held to is not covered.
func (c *Coverage) ended(of Case, passed bool, met, checked, called map[string]bool) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[of.ID] == nil {
		c.calls[of.ID] = map[string]bool{}
	}
	maps.Copy(c.calls[of.ID], called)
	if !passed || of.Observes {
		return
	}
	for demand := range met {
		c.meet(of.ID, demand)
	}
	for row := range checked {
		c.meet(of.ID, "row "+row)
	}
}

func (c *Coverage) meet(id, demand string) {
	if !c.demands[demand] {
		return
	}
	if c.seen[demand] == nil {
		c.seen[demand] = map[string]bool{}
	}
	c.seen[demand][id] = true
}

// exchange adds to what a case has met so far what one request does with its answer. What a request carries counts where the
// answer is a success.
func (c *Coverage) exchange(met map[string]bool, method, path, query string, request []byte, status int, answer []byte) {
	if c == nil {
		return
	}
	operation := OperationID(c.schema, method, path)
	if operation == "" {
		return
	}
	met[demandStatus(operation, status)] = true
	values(met, fmt.Sprintf("%s %d", operation, status), "", decoded(answer))
	if status >= http.StatusMultipleChoices {
		return
	}
	values(met, operation+" request", "", decoded(request))
	given, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil {
		return
	}
	for name, list := range given {
		met[demandField(operation+" query", name)] = true
		for _, value := range list {
			met[demandValue(operation+" query", name, value)] = true
		}
	}
}

func decoded(body []byte) (tree any) {
	if json.Unmarshal(body, &tree) != nil {
		return nil
	}
	return tree
}

// values adds the places and the values of a body; null is no value.
func values(met map[string]bool, where, path string, tree any) {
	if tree == nil {
		return
	}
	met[demandField(where, path)] = true
	switch v := tree.(type) {
	case map[string]any:
		for name, value := range v {
			values(met, where, below(path, name), value)
		}
	case []any:
		for _, value := range v {
			values(met, where, path+"[]", value)
		}
	default:
		met[demandValue(where, path, v)] = true
	}
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func demandStatus(operation string, status int) string {
	return fmt.Sprintf("%s answers %d", operation, status)
}
func demandField(where, path string) string { return where + ": " + path }
func demandValue(where, path string, value any) string {
	return fmt.Sprintf("%s: %s = %v", where, path, value)
}

// Demands lists what the cases must do so that nothing of openapi.yaml and of the error rows is without one, in the forms
//
//	newTracks answers 425
//	newTracks request: tracks[].mid                      a field, in a request that succeeds
//	newTracks request: tracks[].location = local         a value of an enumeration or a boolean, likewise
//	newSession query: thirdparty
//	newTracks 200: tracks[].errorCode = track_error      a value of an enumeration in an answer
//	row session_error/410                                an error that a case checked
//
// The emulator's own zone is no part of it.
func Demands(schema *openapi.Document) []string {
	list := map[string]bool{}
	for path, item := range schema.Spec().Paths.Map() {
		if !Emulated(path) {
			continue
		}
		for _, op := range item.Operations() {
			demandsOf(op, list)
		}
	}
	for _, row := range rows {
		list["row "+row.ID] = true
	}
	return slices.Sorted(maps.Keys(list))
}

// Emulated says whether a path of openapi.yaml belongs to the emulated service.
func Emulated(path string) bool {
	return strings.HasPrefix(path, "/apps/") || strings.HasPrefix(path, "/client/v4/") || strings.HasPrefix(path, "/turn/")
}

func demandsOf(op *openapi3.Operation, list map[string]bool) {
	for _, p := range op.Parameters {
		if p.Value.In != openapi3.ParameterInQuery {
			continue
		}
		where := op.OperationID + " query"
		list[demandField(where, p.Value.Name)] = true
		for _, value := range fieldOf(p.Value.Schema.Value).choices() {
			list[demandValue(where, p.Value.Name, value)] = true
		}
	}
	for path, field := range RequestFields(op) {
		where := op.OperationID + " request"
		list[demandField(where, path)] = true
		for _, value := range field.choices() {
			list[demandValue(where, path, value)] = true
		}
	}
	for status, response := range op.Responses.Map() {
		where := op.OperationID + " " + status
		list[op.OperationID+" answers "+status] = true
		if media := response.Value.Content["application/json"]; media != nil {
			for path, field := range fieldsOf(media.Schema.Value) {
				for _, value := range field.Enum {
					list[demandValue(where, path, value)] = true
				}
			}
		}
	}
}

// Field is what openapi.yaml says of one place in a body.
type Field struct {
	Type    string // of JSON; empty where the file leaves it open
	Enum    []any  // null apart; nil where every value is good
	Longest int    // characters of a string or items of a list, 0 for no bound
}

// choices are the values that can be counted.
func (f Field) choices() []any {
	if f.Enum == nil && f.Type == openapi3.TypeBoolean {
		return []any{false, true}
	}
	return f.Enum
}

// RequestFields are the places of an operation's request body, such as tracks[].mid.
func RequestFields(op *openapi3.Operation) map[string]Field {
	if op.RequestBody == nil {
		return nil
	}
	fields := fieldsOf(op.RequestBody.Value.Content["application/json"].Schema.Value)
	delete(fields, "")
	return fields
}

func fieldOf(schema *openapi3.Schema) Field { return fieldsOf(schema)[""] }

// fieldsOf collects the places of a schema. Parts that all apply narrow an enumeration down, alternatives widen it.
func fieldsOf(schema *openapi3.Schema) map[string]Field {
	fields := map[string]Field{"": ownField(schema)}
	for name, property := range schema.Properties {
		for path, field := range fieldsOf(property.Value) {
			full := name
			if path != "" {
				full = name + joint(path) + path
			}
			fields[full] = narrowed(fields[full], field)
		}
	}
	if schema.Items != nil {
		for path, field := range fieldsOf(schema.Items.Value) {
			full := "[]" + joint(path) + path
			fields[full] = narrowed(fields[full], field)
		}
	}
	for _, part := range schema.AllOf {
		for path, field := range fieldsOf(part.Value) {
			fields[path] = narrowed(fields[path], field)
		}
	}
	for path, field := range alternatives(slices.Concat(schema.AnyOf, schema.OneOf)) {
		fields[path] = narrowed(fields[path], field)
	}
	return fields
}

func joint(path string) string {
	if path == "" || strings.HasPrefix(path, "[") {
		return ""
	}
	return "."
}

func ownField(schema *openapi3.Schema) Field {
	f := Field{}
	if schema.Type != nil && len(*schema.Type) == 1 {
		f.Type = (*schema.Type)[0]
	}
	for _, value := range schema.Enum {
		if value != nil {
			f.Enum = append(f.Enum, value)
		}
	}
	if schema.MaxLength != nil {
		f.Longest = int(*schema.MaxLength)
	}
	if schema.MaxItems != nil {
		f.Longest = int(*schema.MaxItems)
	}
	return f
}

func narrowed(a, b Field) Field {
	if a.Type == "" {
		a.Type = b.Type
	}
	switch {
	case a.Enum == nil:
		a.Enum = b.Enum
	case b.Enum != nil:
		a.Enum = slices.DeleteFunc(slices.Clone(a.Enum), func(v any) bool { return !slices.Contains(b.Enum, v) })
	}
	if a.Longest == 0 || b.Longest != 0 && b.Longest < a.Longest {
		a.Longest = b.Longest
	}
	return a
}

// alternatives is the union of the places of several schemas; a place that one of them leaves open has no bound.
func alternatives(list openapi3.SchemaRefs) map[string]Field {
	fields, often := map[string]Field{}, map[string]int{}
	for _, alternative := range list {
		for path, field := range fieldsOf(alternative.Value) {
			all, known := fields[path]
			often[path]++
			if !known {
				fields[path] = field
				continue
			}
			all.Longest = 0
			for _, value := range field.Enum {
				if !slices.Contains(all.Enum, value) {
					all.Enum = append(slices.Clone(all.Enum), value)
				}
			}
			fields[path] = all
		}
	}
	for path, field := range fields {
		if often[path] < len(list) {
			field.Longest = 0
			fields[path] = field
		}
	}
	return fields
}
