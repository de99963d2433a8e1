package conformance_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/callsemu/callsemu/conformance"
)

// TestEveryFieldHasARow compares the table of fields with the requests of openapi.yaml: a field without a row has no negative
// cases.
func TestEveryFieldHasARow(t *testing.T) {
	rows := map[string]conformance.FieldRow{}
	for _, row := range conformance.Fields() {
		name := row.Operation + " " + row.Path
		if other, twice := rows[name]; twice && (other.Type != row.Type || other.Longest != row.Longest || !slices.Equal(other.Enum, row.Enum)) {
			t.Errorf("the rows of %s differ", name)
		}
		rows[name] = row
	}
	for path, item := range loadSchema(t).Spec().Paths.Map() {
		if !conformance.Emulated(path) {
			continue
		}
		for _, op := range item.Operations() {
			for place, field := range conformance.RequestFields(op) {
				name := op.OperationID + " " + place
				row, known := rows[name]
				if !known {
					t.Errorf("no row for %s: %+v", name, field)
					continue
				}
				if field.Type == "boolean" { // both values are tried, whatever the file says of one of them
					field.Enum = nil
				}
				if row.Type != field.Type || row.Longest != field.Longest || !equalSets(row.Enum, field.Enum) {
					t.Errorf("%s: the row has type %q, values %v, longest %d; openapi.yaml has %+v", name, row.Type, row.Enum, row.Longest, field)
				}
				delete(rows, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t.Errorf("openapi.yaml has no %s", name)
	}
}

func equalSets(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for _, value := range a {
		if !slices.Contains(b, value) {
			return false
		}
	}
	return true
}
