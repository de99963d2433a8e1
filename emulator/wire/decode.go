package wire

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode reads a request body into a pointer to one of this package's request types, the way the real service does:
// unknown fields pass, field names are compared with their case (a misspelt "trackname" is not trackName), null counts
// as absent. Bad syntax, a body that is no object, wrong types and absent required fields are decoding errors; the text
// lists the top-level fields at fault, or the indexes of the items at fault (contract 1.1, 1.2).
//
// encoding/json alone cannot do this: it ignores case.
func Decode(body []byte, into any) *Error {
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		return Refuse(BodyUndecodable, "the body is not JSON: %v; send one JSON object", err)
	}
	object, isObject := tree.(map[string]any)
	if !isObject {
		return Refuse(BodyUndecodable, "the body is JSON but not an object; send one JSON object")
	}
	faults := assignObject(object, reflect.ValueOf(into).Elem())
	if len(faults) == 0 {
		return nil
	}
	list, note := strings.Join(faults, ","), ""
	if slices.ContainsFunc(faults, func(f string) bool { _, err := strconv.Atoi(f); return err == nil }) {
		note = " (a number is the index of an item)"
	}
	const explain = "absent or of a wrong type: %s%s; field names are case-sensitive"
	switch into.(type) {
	case *NewSessionRequest:
		return Refuse(NewSessionBodyInvalid, explain, list, note).Fill(list)
	case *AdaptersRequest, *CloseAdaptersRequest: // adapters do not say where (contract 5.1)
		return Refuse(BodyUndecodable, explain, list, note)
	}
	return Refuse(BodyFieldsInvalid, explain, list, note).Fill(list)
}

// assignObject fills a struct and returns the faulty places: the field's name, or for a list the indexes of its items.
func assignObject(object map[string]any, into reflect.Value) (faults []string) {
	for i := range into.NumField() {
		field := into.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value := object[name]
		if value == nil {
			if field.Tag.Get("wire") == "required" {
				faults = append(faults, name)
			}
			continue
		}
		list, isList := value.([]any)
		if isList && field.Type.Kind() == reflect.Slice {
			faults = append(faults, assignList(list, into.Field(i))...)
			continue
		}
		if !assign(value, into.Field(i)) {
			faults = append(faults, name)
		}
	}
	return faults
}

func assignList(list []any, into reflect.Value) (faults []string) {
	items := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i, value := range list {
		if !assign(value, items.Index(i)) {
			faults = append(faults, strconv.Itoa(i))
		}
	}
	into.Set(items)
	return faults
}

// assign sets one value and reports whether the JSON type fits the Go type.
func assign(value any, into reflect.Value) bool {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		return assign(value, into.Elem())
	}
	switch v := value.(type) {
	case string:
		if into.Kind() == reflect.String {
			into.SetString(v)
			return true
		}
	case bool:
		if into.Kind() == reflect.Bool {
			into.SetBool(v)
			return true
		}
	case float64:
		if whole := int(v); into.Kind() == reflect.Int && float64(whole) == v {
			into.SetInt(int64(whole))
			return true
		}
	case map[string]any:
		return into.Kind() == reflect.Struct && len(assignObject(v, into)) == 0
	}
	return false
}
