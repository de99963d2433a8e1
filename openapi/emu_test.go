package openapi

import (
	"bytes"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestZoneFileIsInOrder(t *testing.T) {
	d, err := LoadEmu()
	if err != nil {
		t.Fatal(err)
	}
	eachOperation(d, func(name string, op *openapi3.Operation) {
		for _, status := range []string{"403", "421"} {
			if op.Responses.Value(status) == nil {
				t.Errorf("%s: the guard's %s is not listed", name, status)
			}
		}
		if op.Summary == "" {
			t.Errorf("%s has no summary", name)
		}
	})
}

func TestFaultsOfTheZoneFileAreFoundWhenLoading(t *testing.T) {
	damaged := bytes.Replace(EmuYAML, []byte("advance: 31s"), []byte("advance: soon"), 1)
	if _, err := load(damaged); err == nil || bytes.Equal(damaged, EmuYAML) {
		t.Error("an example that does not fit was loaded")
	}
}
