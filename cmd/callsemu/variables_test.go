package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parsed are the settings of serve by the environment alone, and the parser.
func parsed(t *testing.T) (settings, *kong.Kong) {
	t.Helper()
	var line commandLine
	parser, err := kong.New(&line, durations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	return line.Serve.settings, parser
}

func TestAnEmptyVariableIsNotSet(t *testing.T) {
	_, parser := parsed(t)
	names := variables(parser.Model.Node)
	for _, name := range names {
		t.Setenv(name, "") // and back at the end
		_ = os.Unsetenv(name)
	}
	want, _ := parsed(t)
	for _, name := range names {
		t.Setenv(name, "")
	}
	forgetEmptyVariables()
	if got, _ := parsed(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if len(names) < 20 || want.Listen != "127.0.0.1:1473" {
		t.Errorf("%d variables, settings %+v", len(names), want)
	}
}

// ofThisFile are the settings that docker-compose.yml fixes by its ports, its volume and its network, or leaves to the image.
var ofThisFile = []string{"CALLSEMU_LISTEN", "CALLSEMU_MEDIA", "CALLSEMU_HTTP", "CALLSEMU_HTTPS", "CALLSEMU_STATE_DIR", "CALLSEMU_TLS_CERT",
	"CALLSEMU_TLS_KEY"}

func TestComposeHandsOnEverySetting(t *testing.T) {
	file, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	table := reflect.TypeFor[settings]()
	for i := range table.NumField() {
		name := table.Field(i).Tag.Get("env")
		handedOn := regexp.MustCompile(`(?m)^ +- ` + name + `(=\$\{` + name + `:-.+\})?$`).Match(file)
		if handedOn == slices.Contains(ofThisFile, name) {
			t.Errorf("%s: handed on by docker-compose.yml: %v", name, handedOn)
		}
	}
}

// TestNoVariableOfTheProjectsIsComplainedAbout reads where variables are set or read besides the table of settings.
func TestNoVariableOfTheProjectsIsComplainedAbout(t *testing.T) {
	_, parser := parsed(t)
	for _, name := range []string{"docker-compose.yml", "examples/standin/docker-compose.yml", "Dockerfile", "Makefile", "README.md", "e2e/lib/emulator.js",
		"scripts/compose-test.sh"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range regexp.MustCompile(`\bCALLSEMU_[A-Z_]+`).FindAllString(string(text), -1) {
			if found := strangers([]string{variable + "=x"}, parser.Model.Node); found != nil {
				t.Errorf("%s: %s", name, variable)
			}
		}
	}
}

func TestNearestIsWhatWasMeant(t *testing.T) {
	known := strings.Fields("serve wait doctor ca conformance env")
	for word, want := range map[string]string{
		"server": "serve", "conformence": "conformance", "conf": "conformance", "wa": "wait", "dcotor": "doctor", "vne": "", "x": "", "e": "env", "": "", "frobnicate": "", "envs": "env",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	for pair, want := range map[[2]string]int{{"kitten", "sitting"}: 3, {"", "abc"}: 3, {"abc", ""}: 3, {"same", "same"}: 0} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("%q: got %d, want %d", pair, got, want)
		}
	}
}
