package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// filesIn are the names in a directory: nothing else may be left there.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hangingTarget is a target that does not answer a wrong secret while hangs is set.
func hangingTarget(t *testing.T) (flags []string, hangs *atomic.Bool) {
	t.Helper()
	hangs = new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() && r.Header.Get("Authorization") == "Bearer wrong" {
			<-r.Context().Done()
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(server.Close)
	return []string{"conformance", "--base-url=" + server.URL, "--app-id=app", "--app-secret=the-secret", "--run=^auth/secret$"}, hangs
}

func TestARunThatFailsLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	record, page := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	write(t, record, "old")
	write(t, page, "old")
	for _, args := range [][]string{{"--run=("}, {"--run=^nothing$"}, {"--base-url=http://127.0.0.1:1", "--app-id=a", "--app-secret=b"}} {
		got := inThisProcess(t, append([]string{"conformance", "--record=" + record, "--report=" + page}, args...)...)
		if got.status != 1 || fileText(t, record) != "old" || fileText(t, page) != "old" || filesIn(t, dir) != "r.html r.json" {
			t.Errorf("%q: %+v, %s", args, got, filesIn(t, dir))
		}
	}
}

func TestARunThatIsCutOffLeavesACompleteRecord(t *testing.T) {
	dir := t.TempDir()
	record := filepath.Join(dir, "r.json")
	args, hangs := hangingTarget(t)
	step := func(hang bool, said string) string {
		t.Helper()
		hangs.Store(hang)
		got := inThisProcess(t, append(args, "--record="+record, "--timeout=1s")...)
		if got.status != 1 || !strings.Contains(got.stderr, said) || filesIn(t, dir) != "r.json" {
			t.Errorf("got %+v, %s", got, filesIn(t, dir))
		}
		return fileText(t, record)
	}
	if text := step(true, "record: "+record+"\n"); !strings.Contains(text, "not finished") {
		t.Errorf("where nothing was, there is %s", text)
	}
	complete := step(false, "record: "+record+"\n")
	if strings.Contains(complete, "not finished") {
		t.Errorf("the incomplete one was not replaced: %s", complete)
	}
	if text := step(true, "stays as it was"); text != complete {
		t.Errorf("the complete one became %s", text)
	}
}

func TestAComparisonWithWhatWasNotFinishedIsNoSuccess(t *testing.T) {
	record := filepath.Join(t.TempDir(), "r.json")
	args, hangs := hangingTarget(t)
	hangs.Store(true)
	_ = inThisProcess(t, append(args, "--record="+record, "--timeout=1s")...)
	if text := fileText(t, record); !strings.Contains(text, `"pattern": "^auth/secret$"`) {
		t.Errorf("the record does not say what it is of: %s", text)
	}
	hangs.Store(false)
	got := inThisProcess(t, append(args, "--compare="+record)...)
	if got.status != 1 || !strings.Contains(got.stderr, "1 case not finished, in the record or at the target") || !strings.Contains(got.stdout, "not finished in the record: auth/secret") {
		t.Errorf("got %+v", got)
	}
	for _, command := range [][]string{{"--compare=" + record}, {"drift", "--from=" + record}} { // of an emulator's one case, which the record is not of
		got = inThisProcess(t, slices.Concat([]string{"conformance"}, command, []string{"--run=^session/new$"})...)
		if got.status != 1 || !strings.Contains(got.stderr, "nothing was compared") || !strings.Contains(got.stdout+got.stderr, "1 not compared, outside of the record's --run ^auth/secret$: session/new") {
			t.Errorf("%q: got %+v", command, got)
		}
	}
}

func TestAnOutputIsReplacedInOneStep(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	write(t, name, "old")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := output(link).write(func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) || fileText(t, name) != "old" || filesIn(t, dir) != "file link" {
		t.Errorf("%v: %q, %s", err, fileText(t, name), filesIn(t, dir))
	}
	err = output(link).write(func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	})
	info, statErr := os.Lstat(name)
	if err != nil || statErr != nil || fileText(t, name) != "new" || info.Mode() != 0o600 || filesIn(t, dir) != "file link" {
		t.Errorf("%v: %q, %v, %s", err, fileText(t, name), info.Mode(), filesIn(t, dir))
	}
	for _, wrong := range []string{dir, filepath.Join(dir, "none", "x"), filepath.Join(name, "x")} {
		if err := output(wrong).check(); err == nil || !strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), ".part") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if err := output("/dev/null").check(); err != nil {
		t.Error(err)
	}
}

// TestAFileThatCannotBeReplacedIsOverwritten: with a file that is mounted by itself the new one cannot take its place, or not even be made
// beside it.
func TestAFileThatCannotBeReplacedIsOverwritten(t *testing.T) {
	for name, hinder := range map[string]func(t *testing.T, dir string) output{
		"no rename": func(t *testing.T, _ string) output {
			old := rename
			rename = func(from, to string) error {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EBUSY}
			}
			t.Cleanup(func() { rename = old })
			return "file"
		},
		"no part": func(t *testing.T, dir string) output {
			if err := os.Mkdir(filepath.Join(dir, filepath.Base(output("file").part())), 0o700); err != nil { // as a directory that takes no file would, even of root
				t.Fatal(err)
			}
			return "file"
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := output(filepath.Join(dir, string(hinder(t, dir))))
			before := filesIn(t, dir)
			text := func(s string) func(io.Writer) error {
				return func(w io.Writer) error {
					_, err := io.WriteString(w, s)
					return err
				}
			}
			if err := file.write(text("new")); err == nil || !strings.Contains(err.Error(), string(file)+": cannot be written: ") || strings.Contains(err.Error(), ".part") || filesIn(t, dir) != before {
				t.Errorf("where nothing was: %v, %s", err, filesIn(t, dir))
			}
			write(t, string(file), "old and longer")
			broken := errors.New("broken")
			if err := file.write(func(w io.Writer) error { _ = text("half")(w); return broken }); !errors.Is(err, broken) || fileText(t, string(file)) != "old and longer" {
				t.Errorf("%v: %q", err, fileText(t, string(file)))
			}
			if err := errors.Join(file.check(), file.write(text("new"))); err != nil || fileText(t, string(file)) != "new" {
				t.Errorf("%v: %q", err, fileText(t, string(file)))
			}
		})
	}
}

// full is a file on a full disk.
type full struct{ written int }

func (f *full) Write(b []byte) (int, error) {
	f.written = len(b) / 2
	return f.written, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
}

func (*full) Truncate(int64) error { return nil }
func (*full) Close() error         { return nil }

func TestAHalfOverwrittenFileIsNamed(t *testing.T) {
	err := output("r.json").overwrite(&full{}, []byte("new"))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "r.json: cannot be written: ") || !strings.Contains(err.Error(), "overwritten in part") {
		t.Error(err)
	}
}
