package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// output is a file of a run's results, by its name. It is written at the end and in one step, so that a run which fails leaves what was
// there before.
type output string

// part is the file beside it that is written, and becomes it in the end.
func (o output) part() string { return fmt.Sprintf("%s.%d.part", o.target(), os.Getpid()) }

// target is where a link leads.
func (o output) target() string {
	if name, err := filepath.EvalSymlinks(string(o)); err == nil {
		return name
	}
	return string(o)
}

// direct says whether it is written as it stands, such as a pipe. The mode is that of a new file, or of the one which is there.
func (o output) direct() (direct bool, mode fs.FileMode, err error) {
	switch info, err := os.Stat(string(o)); {
	case errors.Is(err, fs.ErrNotExist):
		return false, 0o666, nil
	case err != nil:
		return false, 0, err
	case info.IsDir():
		return false, 0, fmt.Errorf("%s: it is a directory", o)
	default:
		return !info.Mode().IsRegular(), info.Mode().Perm(), nil
	}
}

// check finds out, before a run, whether write can do its work after it.
func (o output) check() error {
	direct, _, err := o.direct()
	if err != nil || direct {
		return err
	}
	file, err := os.OpenFile(o.part(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return o.named(err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// write replaces what is there. With an error nothing has changed.
func (o output) write(content func(io.Writer) error) error {
	direct, mode, err := o.direct()
	if err != nil {
		return err
	}
	name, flags := o.part(), os.O_CREATE|os.O_TRUNC
	if direct {
		name, flags = string(o), 0
	}
	file, err := os.OpenFile(name, flags|os.O_WRONLY, mode)
	if err != nil {
		return o.named(err)
	}
	err = errors.Join(content(file), file.Close())
	if direct {
		return err
	}
	if err == nil {
		err = os.Rename(name, o.target())
	}
	if err != nil {
		return errors.Join(o.named(err), os.Remove(name))
	}
	return nil
}

// named is an error about the file that the user has named, and not about the part.
func (o output) named(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s: cannot be written: %w", o, err)
}
