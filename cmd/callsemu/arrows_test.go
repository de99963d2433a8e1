package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/callsemu/callsemu"

// testHelpers are the project's packages that any test may import besides what its package may.
var testHelpers = []string{"sfu/sfutest", "openapi", "internal/porttest"}

// foreignRule confines a package from outside the project to some of ours. Test files are free.
type foreignRule struct {
	prefix string   // of the import path
	only   []string // if set, the packages that may import it
	never  []string // the packages that may not
	why    string
}

var foreignRules = []foreignRule{
	{prefix: "github.com/pion/", only: []string{"sfu", "sfu/internal/*", "sfu/sfutest", "stunserver", "internal/pionlog", "conformance", "scripts/turnabuse", "examples/*"},
		why: "a pion upgrade touches the packet path, STUN and the test peers, nothing else"},
	{prefix: "net/http", never: []string{"emulator/session", "emulator/account", "emulator/certs", "emulator/clock", "sfu", "sfu/internal/*", "sfu/sfutest", "stunserver"},
		why: "HTTP lives in emulator; rules and media know nothing of it"},
	{prefix: "encoding/json", never: []string{"sfu", "sfu/internal/*", "stunserver", "emulator/clock"},
		why: "media knows no JSON"},
	{prefix: "testing", only: []string{"internal/porttest"},
		why: "emulator.RunT takes an interface; sfutest and conformance also run outside tests"},
}

// standardOnly lists the leaves that import nothing but the standard library.
var standardOnly = []string{"emulator/wire", "emulator/clock", "emulator/account", "emulator/certs"}

func TestImportsFollowTheArrowsOfTheDesign(t *testing.T) {
	root := os.DirFS("../..")
	for _, v := range arrowViolations(t, root) {
		t.Error(v)
	}
}

func TestConformanceNeverImportsTheEmulator(t *testing.T) {
	arrows := designArrows(t, os.DirFS("../.."))
	if allows(reach(arrows, "conformance"), "emulator") {
		t.Errorf("the arrows lead from conformance to emulator: %v", arrows["conformance"])
	}
}

func TestArrowCheckNamesEachViolation(t *testing.T) {
	file := func(pkg string, imports ...string) *fstest.MapFile {
		src := "package " + pkg + "\n"
		for _, i := range imports {
			src += "import _ " + strconv.Quote(i) + "\n"
		}
		return &fstest.MapFile{Data: []byte(src)}
	}
	design := &fstest.MapFile{Data: []byte("# D\n\n```arrows\nemulator -> sfu, emulator/session\nemulator/session -> sfu\n" +
		"emulator/clock ->\nconformance ->\nsfu -> sfu/internal/*\nsfu/internal/* ->\n```\n")}
	for name, c := range map[string]struct {
		path string
		file *fstest.MapFile
		want string
	}{
		"allowed arrow":            {"emulator/x.go", file("emulator", module+"/sfu"), ""},
		"allowed below a star":     {"sfu/x.go", file("sfu", module+"/sfu/internal/udp"), ""},
		"missing arrow":            {"sfu/x.go", file("sfu", module+"/emulator"), "sfu/x.go: sfu has no arrow to emulator"},
		"unlisted package":         {"other/x.go", file("other"), "other/x.go: other is not in the arrows of DESIGN.md"},
		"pion in the rules":        {"emulator/session/x.go", file("session", "github.com/pion/rtp"), "github.com/pion/rtp"},
		"http in the rules":        {"emulator/session/x.go", file("session", "net/http/httptest"), "net/http/httptest"},
		"testing in a binary":      {"conformance/x.go", file("conformance", "testing"), "testing"},
		"not the testing prefix":   {"conformance/x.go", file("conformance", "testingx"), ""},
		"leaf with a module":       {"emulator/clock/x.go", file("clock", "golang.org/x/sys/unix"), "standard library"},
		"test helper in a test":    {"sfu/x_test.go", file("sfu", module+"/sfu/sfutest", "github.com/pion/rtp"), ""},
		"test helper elsewhere":    {"sfu/x.go", file("sfu", module+"/sfu/sfutest"), "sfu has no arrow to sfu/sfutest"},
		"emulator in conformance":  {"conformance/x_test.go", file("conformance", module+"/emulator"), "no arrow to emulator"},
		"the one exception to it":  {"conformance/conformance_test.go", file("conformance_test", module+"/emulator"), ""},
		"its own package in tests": {"emulator/session/x_test.go", file("session_test", module+"/emulator/session"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := arrowViolations(t, fstest.MapFS{"DESIGN.md": design, c.path: c.file})
			if c.want == "" && len(got) > 0 {
				t.Fatalf("unwanted: %v", got)
			}
			if c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Fatalf("got %q, want one with %q", got, c.want)
			}
		})
	}
}

// arrowViolations checks every import of every Go file in root.
func arrowViolations(t *testing.T, root fs.FS) []string {
	t.Helper()
	arrows := designArrows(t, root)
	var found []string
	walkFiles(t, root, func(name string) {
		if path.Ext(name) != ".go" {
			return
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		pkg := path.Dir(name)
		row, listed := rowOf(arrows, pkg)
		if !listed {
			found = append(found, fmt.Sprintf("%s: %s is not in the arrows of DESIGN.md", name, pkg))
			return
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := refuses(name, pkg, row, imported); why != "" {
				found = append(found, name+": "+why)
			}
		}
	})
	return found
}

// refuses says why the file may not import the path, or nothing.
func refuses(file, pkg string, row []string, imported string) string {
	isTest := strings.HasSuffix(file, "_test.go")
	if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
		switch {
		case allows(row, ours),
			isTest && (ours == pkg || allows(testHelpers, ours)),
			file == "conformance/conformance_test.go" && hasPathPrefix(ours, "emulator"):
			return ""
		}
		return pkg + " has no arrow to " + ours
	}
	if isTest {
		return ""
	}
	for _, rule := range foreignRules {
		if !hasPathPrefix(imported, rule.prefix) {
			continue
		}
		if allows(rule.never, pkg) || (rule.only != nil && !allows(rule.only, pkg)) {
			return pkg + " imports " + imported + ": " + rule.why
		}
	}
	if allows(standardOnly, pkg) && strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
		return pkg + " imports " + imported + ", but only the standard library is allowed"
	}
	return ""
}

// designArrows reads the block of DESIGN.md that begins with "```arrows": one package a line, then
// the packages of the project that it may import.
func designArrows(t *testing.T, root fs.FS) map[string][]string {
	t.Helper()
	text, err := fs.ReadFile(root, "DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```arrows\n")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("DESIGN.md has no arrows block")
	}
	arrows := map[string][]string{}
	for line := range strings.Lines(block) {
		from, to, ok := strings.Cut(line, "->")
		if !ok {
			t.Fatalf("not an arrow: %q", line)
		}
		arrows[strings.TrimSpace(from)] = strings.FieldsFunc(to, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	}
	return arrows
}

// rowOf finds a package's arrows by its name, or by the pattern that covers it.
func rowOf(arrows map[string][]string, pkg string) ([]string, bool) {
	if row, ok := arrows[pkg]; ok {
		return row, true
	}
	for from, row := range arrows {
		if strings.HasSuffix(from, "/*") && allows([]string{from}, pkg) {
			return row, true
		}
	}
	return nil, false
}

// reach follows the arrows to all that a package can import, however far away.
func reach(arrows map[string][]string, from string) []string {
	var reached []string
	next := []string{from}
	for len(next) > 0 {
		pkg := next[0]
		next = next[1:]
		for _, to := range arrows[pkg] {
			if !slices.Contains(reached, to) {
				reached = append(reached, to)
				next = append(next, to)
			}
		}
	}
	return reached
}

// allows reports whether pkg is in the list, in which "a/*" stands for everything below a.
func allows(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		below, star := strings.CutSuffix(entry, "*")
		return entry == pkg || star && strings.HasPrefix(pkg, below)
	})
}

// hasPathPrefix reports whether an import path is the prefix itself or lies below it.
func hasPathPrefix(imported, prefix string) bool {
	rest, ok := strings.CutPrefix(imported, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}
