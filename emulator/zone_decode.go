package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// maxControl bounds the body of a call of the zone.
const maxControl = 1 << 20

// decodeControl reads a body into a struct the way the zone does, which is strict: one JSON object, every field known
// and written exactly so, none twice, every value of the right type. No body counts as {} where optional is set.
func decodeControl(r *http.Request, into any, optional bool) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControl+1))
	switch {
	case err != nil:
		return refuseControl("the body ended early: %v", err)
	case len(body) > maxControl:
		return zoneError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", maxControl)}
	case len(bytes.TrimSpace(body)) == 0 && optional:
		return nil
	}
	fields, err := objectOf(body)
	if err != nil {
		return err
	}
	return assignFields(fields, reflect.ValueOf(into).Elem())
}

// field is one member of a JSON object.
type field struct {
	name  string
	value json.RawMessage
}

// objectOf takes one JSON object apart, in its order.
func objectOf(body []byte) ([]field, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	start, err := decoder.Token()
	if err != nil {
		return nil, refuseControl("the body is not JSON: %v; send one JSON object", orEnd(err))
	}
	if start != json.Delim('{') {
		return nil, refuseControl("the body is not an object; send one JSON object")
	}
	var fields []field
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, refuseControl("the body is not JSON: %v", orEnd(err))
		}
		f := field{name: name.(string)} // an object's members begin with strings
		if err := decoder.Decode(&f.value); err != nil {
			return nil, refuseControl("field %q: not JSON: %v", f.name, orEnd(err))
		}
		if seen[f.name] {
			return nil, refuseControl("field %q stands twice", f.name)
		}
		seen[f.name] = true
		fields = append(fields, f)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, refuseControl("the body is not JSON: %v", orEnd(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, refuseControl("something follows the object")
	}
	return fields, nil
}

// orEnd names the end of the body in words.
func orEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends early")
	}
	return err
}

func assignFields(fields []field, into reflect.Value) error {
	places := map[string]reflect.Value{}
	var names []string
	for i := range into.NumField() {
		name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		places[name] = into.Field(i)
		names = append(names, name)
	}
	for _, f := range fields {
		place, known := places[f.name]
		if !known {
			return refuseControl("there is no field %q; the fields are %s", f.name, strings.Join(names, ", "))
		}
		if err := json.Unmarshal(f.value, place.Addr().Interface()); err != nil {
			return refuseControl("field %q: %s", f.name, wrongType(f, place, err))
		}
	}
	return nil
}

// wrongType says what a field wants.
func wrongType(f field, place reflect.Value, err error) string {
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return err.Error()
	}
	kind := place.Type()
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	want := "a " + kind.String()
	switch kind.Kind() {
	case reflect.Int, reflect.Uint64:
		want = "a whole number"
	case reflect.Float64:
		want = "a number"
	}
	return fmt.Sprintf("%s is not %s", f.value, want)
}

// span is a duration as the zone writes it: "31s", "800ms".
type span time.Duration

// MarshalJSON writes the duration as Go does.
func (s span) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).String()) }

// UnmarshalJSON takes what Go's durations look like; not below zero.
func (s *span) UnmarshalJSON(text []byte) error {
	var value string
	if err := json.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("%s is not a duration in quotes, such as \"31s\" or \"800ms\"", text)
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a duration such as 31s or 800ms", value)
	}
	*s = span(d)
	return nil
}

func (s span) duration() time.Duration { return time.Duration(s) }
