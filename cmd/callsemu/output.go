package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// output is a file of a run's results, by its name. It is written at the end and in one step, so that a run which fails leaves what was
// there before. Where a file cannot be replaced, such as one that is mounted by itself into a container, it is overwritten at the end.
type output string

// rename is os.Rename, but for tests, which cannot mount files.
var rename = os.Rename

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
	if err == nil {
		return errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if inPlace, openErr := os.OpenFile(o.target(), os.O_WRONLY, 0); openErr == nil {
		return inPlace.Close()
	}
	return o.named(err)
}

// write replaces what is there. With an error nothing has changed, unless the error says so.
func (o output) write(content func(io.Writer) error) error {
	direct, mode, err := o.direct()
	if err != nil {
		return err
	}
	if direct {
		file, err := os.OpenFile(string(o), os.O_WRONLY, 0)
		if err != nil {
			return o.named(err)
		}
		return errors.Join(content(file), file.Close())
	}
	var whole bytes.Buffer
	if err := content(&whole); err != nil {
		return err
	}
	refused, err := o.replace(whole.Bytes(), mode)
	if !refused {
		return err
	}
	file, openErr := os.OpenFile(o.target(), os.O_WRONLY, 0)
	if openErr != nil {
		return o.named(err)
	}
	return o.overwrite(file, whole.Bytes())
}

// replace writes the part and makes it the file. With refused nobody may do that here, and the file has to be written as it stands.
func (o output) replace(whole []byte, mode fs.FileMode) (refused bool, err error) {
	file, err := os.OpenFile(o.part(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return true, err
	}
	_, err = file.Write(whole)
	if err = errors.Join(err, file.Close()); err == nil {
		err = rename(o.part(), o.target())
		refused = err != nil
	}
	if err != nil {
		err = errors.Join(o.named(err), os.Remove(o.part()))
	}
	return refused, err
}

// inPlace is an open file that is overwritten.
type inPlace interface {
	io.WriteCloser
	Truncate(size int64) error
}

// overwrite writes from the beginning of the file, and cuts off what was longer. What has failed then says what the file is now.
func (o output) overwrite(file inPlace, whole []byte) error {
	_, err := file.Write(whole)
	if err == nil {
		err = file.Truncate(int64(len(whole)))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%w; what was in it is overwritten in part, since it could not be replaced by a new file", o.named(err))
	}
	return nil
}

// named is an error about the file that the user has named, and not about the part.
func (o output) named(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	return fmt.Errorf("%s: cannot be written: %w", o, err)
}
