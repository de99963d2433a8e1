package main_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// textRule is something that no file of the project may hold. The patterns are pieced together so
// that this file does not match itself.
type textRule struct {
	pattern *regexp.Regexp
	why     string
}

var textRules = []textRule{
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`), "unfinished work belongs in DESIGN.md or in an issue"},
	{regexp.MustCompile(`registry\.npm` + `js\.org|proxy\.golang` + `\.org|deb\.debian` + `\.org|registry\.yarn` + `pkg\.com`),
		"which registry serves a package is a setting of the machine"},
	{regexp.MustCompile(`(^|[\s"'=(])/(work|home|Users)` + `/[a-z]`), "a path of one machine"},
	{regexp.MustCompile(`\.\./(shared|\.lib` + `rary)\b`), "a path outside the project"},
}

func TestFilesKeepTheTextRules(t *testing.T) {
	for _, v := range textViolations(t, os.DirFS("../..")) {
		t.Error(v)
	}
}

func TestTestsNeverSleep(t *testing.T) {
	for _, v := range sleepViolations(t, os.DirFS("../..")) {
		t.Error(v)
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	for _, v := range docViolations(t, os.DirFS("../..")) {
		t.Error(v)
	}
}

// TestReadmeListsEverySetting reads the table of settings as text. The table of deviations is compared in emulator.
func TestReadmeListsEverySetting(t *testing.T) {
	readme := readText(t, "../../README.md")
	rows := regexp.MustCompile(`env:"(CALLSEMU_[A-Z_]+)"`).FindAllStringSubmatch(readText(t, "settings.go"), -1)
	if len(rows) == 0 {
		t.Error("settings.go has no variables")
	}
	for _, row := range rows {
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(row[1], "CALLSEMU_")), "_", "-")
		if !strings.Contains(readme, "| `"+flag+"` | `"+row[1]+"` |") {
			t.Errorf("README.md has no row for %s and %s", flag, row[1])
		}
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRuleChecksFindWhatTheyLookFor(t *testing.T) {
	root := fstest.MapFS{
		".gitignore":         {Data: []byte("# Built\nbin/\n*.out\n")},
		"bin/skipped":        {Data: []byte("TO" + "DO")},
		"good/doc.go":        {Data: []byte("// Package good is documented.\npackage good\n")},
		"good/good_test.go":  {Data: []byte("package good\nfunc f() { clock.Sleep(1) }\n")},
		"silent/doc.go":      {Data: []byte("package silent\n")},
		"absent/code.go":     {Data: []byte("package absent\n")},
		"absent/a_test.go":   {Data: []byte("package absent\nimport \"time\"\nfunc f() { time.Sleep(1) }\n")},
		"absent/b_test.go":   {Data: []byte("package absent\nimport real \"time\"\nfunc g() { real.Sleep(1) }\n")},
		"text/later.md":      {Data: []byte("one\nFIX" + "ME later\n")},
		"text/path.sh":       {Data: []byte("cd /wo" + "rk/main\n")},
		"text/lock.json":     {Data: []byte("https://registry.npm" + "js.org/x\n")},
		"text/picture.bin":   {Data: []byte("\xff\xfeTO" + "DO")},
		"text/innocent.html": {Data: []byte("https://example.com/home/page, the mastodon\n")},
	}
	for name, c := range map[string]struct {
		got  []string
		want []string
	}{
		"texts":  {textViolations(t, root), []string{"text/later.md:2", "text/lock.json:1", "text/path.sh:1"}},
		"sleeps": {sleepViolations(t, root), []string{"absent/a_test.go:3", "absent/b_test.go:3"}},
		"docs":   {docViolations(t, root), []string{"absent: ", "silent: "}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.got) != len(c.want) {
				t.Fatalf("got %q, want %q", c.got, c.want)
			}
			for i := range c.got {
				if !strings.HasPrefix(c.got[i], c.want[i]) {
					t.Errorf("got %q, want it to begin with %q", c.got[i], c.want[i])
				}
			}
		})
	}
}

func textViolations(t *testing.T, root fs.FS) []string {
	t.Helper()
	var found []string
	walkFiles(t, root, func(name string) {
		data, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(data) {
			return
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			for _, rule := range textRules {
				if hit := rule.pattern.Find(line); hit != nil {
					found = append(found, fmt.Sprintf("%s:%d: %q: %s", name, i+1, hit, rule.why))
				}
			}
		}
	})
	return found
}

// sleepViolations finds calls of time.Sleep in test files: a test waits for what it wants to see.
func sleepViolations(t *testing.T, root fs.FS) []string {
	t.Helper()
	var found []string
	walkFiles(t, root, func(name string) {
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		eachSelector(t, root, name, func(file *ast.File, at token.Position, x, sel string) {
			if sel == "Sleep" && x == importName(file, "time") {
				found = append(found, at.String()+": time.Sleep in a test")
			}
		})
	})
	return found
}

// eachSelector visits every x.sel of a Go file in which x is a mere name, such as that of a package.
func eachSelector(t *testing.T, root fs.FS, name string, visit func(file *ast.File, at token.Position, x, sel string)) {
	t.Helper()
	src, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				visit(file, files.Position(n.Pos()), x.Name, sel.Sel.Name)
			}
		}
		return true
	})
}

// importName gives the name by which a file calls an imported package, empty if it does not import it.
func importName(file *ast.File, imported string) string {
	for _, spec := range file.Imports {
		if spec.Path.Value != `"`+imported+`"` {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		if base := path.Base(imported); !majorVersion.MatchString(base) {
			return base
		}
		return path.Base(path.Dir(imported))
	}
	return ""
}

// majorVersion is the last part of the path of a module from its second major version on.
var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// docViolations finds packages without a doc.go that says what they are.
func docViolations(t *testing.T, root fs.FS) []string {
	t.Helper()
	documented := map[string]bool{}
	walkFiles(t, root, func(name string) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return
		}
		pkg := path.Dir(name)
		documented[pkg] = documented[pkg] || path.Base(name) == "doc.go" && hasPackageComment(t, root, name)
	})
	var found []string
	for pkg, ok := range documented {
		if !ok {
			found = append(found, pkg+": no doc.go with a package comment")
		}
	}
	slices.Sort(found)
	return found
}

func hasPackageComment(t *testing.T, root fs.FS, name string) bool {
	t.Helper()
	src, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file.Doc.Text() != ""
}

// walkFiles visits the project's own files in lexical order: all but the repository's and the
// folders that .gitignore names.
func walkFiles(t *testing.T, root fs.FS, visit func(name string)) {
	t.Helper()
	skip := []string{".git"}
	ignored, _ := fs.ReadFile(root, ".gitignore") // without one there is nothing more to skip
	for line := range strings.Lines(string(ignored)) {
		if dir, ok := strings.CutSuffix(strings.TrimSpace(line), "/"); ok {
			skip = append(skip, dir)
		}
	}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skip, entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular():
			visit(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
