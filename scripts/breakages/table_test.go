package main

import (
	"os"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
)

// TestBreakagesFitTheSources: what each is to replace stands in its file once, and the case that is to notice exists.
func TestBreakagesFitTheSources(t *testing.T) {
	ids, words := map[string]bool{}, map[string]bool{}
	for _, c := range conformance.Cases() {
		ids[c.ID] = true
	}
	for _, b := range breakages {
		text, err := os.ReadFile("../../" + b.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), b.old); n != 1 || b.new == b.old {
			t.Errorf("%s: %s has it %d times, not once", b.what, b.file, n)
		}
		if !ids[b.noticed] {
			t.Errorf("%s: there is no case %s", b.what, b.noticed)
		}
		if words[b.what] {
			t.Errorf("%s: twice", b.what)
		}
		words[b.what] = true
	}
	if len(breakages) < 20 {
		t.Errorf("there are %d breakages", len(breakages))
	}
}
