package main_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// dialing names, by package, whatever makes a connection, or has one made.
var dialing = map[string][]string{
	"net":        {"Dial", "DialTimeout", "DialIP", "DialTCP", "DialUDP", "DialUnix", "Dialer"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	"net/http": {"Get", "Head", "Post", "PostForm", "Client", "DefaultClient", "Transport", "DefaultTransport", "NewRequest",
		"NewRequestWithContext"},
	"net/http/httputil":          {"NewSingleHostReverseProxy", "ReverseProxy"},
	"github.com/coder/websocket": {"Dial"},
	"github.com/pion/stun/v2":    {"Dial", "DialURI"},
	"github.com/pion/turn/v3":    {"NewClient"},
	"github.com/pion/webrtc/v4":  {"NewPeerConnection"},
}

// mayDial are the files that may, with what they dial.
var mayDial = map[string]string{
	"emulator/adapter/dial.go": "the adapters' endpoints, under the policy on addresses",
	"sfu/selftest.go":          "the emulator's own sockets",
}

// clients are the packages that are no part of the service: they exist to call it, or for tests.
var clients = []string{"cmd/*", "conformance", "sfu/sfutest", "scripts/*", "examples/*", "internal/porttest"}

// TestOnlyTheAdaptersDial: one dialer in the whole program, so that no URL that a client sends is fetched by other code.
func TestOnlyTheAdaptersDial(t *testing.T) {
	for _, v := range dialViolations(t, os.DirFS("../..")) {
		t.Error(v)
	}
}

func TestDialRuleFindsWhatItLooksFor(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	got := dialViolations(t, fstest.MapFS{
		"emulator/a.go":            file("package e\nimport \"net\"\nvar _, _ = net.Dial(\"tcp\", \"x:1\")\n"),
		"emulator/b.go":            file("package e\nimport n \"net\"\nvar _ n.Dialer\n"),
		"emulator/c.go":            file("package e\nimport \"net/http\"\nvar _ = http.DefaultClient\n"),
		"emulator/d.go":            file("package e\nimport \"github.com/coder/websocket\"\nvar _ = websocket.Dial\n"),
		"emulator/g.go":            file("package e\nimport \"github.com/pion/stun/v2\"\nvar _ = stun.DialURI\n"),
		"emulator/e.go":            file("package e\nimport \"net\"\nvar _, _ = net.Listen(\"tcp\", \"x:1\")\n"),
		"emulator/f_test.go":       file("package e\nimport \"net\"\nvar _, _ = net.Dial(\"tcp\", \"x:1\")\n"),
		"emulator/adapter/dial.go": file("package a\nimport \"net\"\nvar _ net.Dialer\n"),
		"conformance/a.go":         file("package c\nimport \"net\"\nvar _ net.Dialer\n"),
	})
	want := []string{"emulator/a.go:3", "emulator/b.go:3", "emulator/c.go:3", "emulator/d.go:3", "emulator/g.go:3"}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range got {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want it to begin with %q", got[i], want[i])
		}
	}
}

func dialViolations(t *testing.T, root fs.FS) []string {
	t.Helper()
	var found []string
	walkFiles(t, root, func(name string) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || mayDial[name] != "" || allows(clients, path.Dir(name)) {
			return
		}
		eachSelector(t, root, name, func(file *ast.File, at token.Position, x, sel string) {
			for imported, names := range dialing {
				if called := importName(file, imported); called != "" && called == x && slices.Contains(names, sel) {
					found = append(found, fmt.Sprintf("%s: %s.%s dials; only %s may", at, x, sel, "emulator/adapter/dial.go"))
				}
			}
		})
	})
	return found
}
