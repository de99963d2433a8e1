package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names in the directory.
const (
	caFile   = "ca.pem"
	keyFile  = "ca-key.pem"
	lockFile = "lock"
)

// lockWait bounds the wait for another process that is making the CA, which takes milliseconds.
const lockWait = 5 * time.Second

// state is a directory with a CA.
type state struct {
	dir  string
	log  *slog.Logger
	asIs bool // a CA that is there is not replaced
}

func (s state) path(name string) string { return filepath.Join(s.dir, name) }

// authority returns the CA of the directory, or one that takes its place, made for need and extra, if there is none that is good
// for need. Errors wrap ErrStale or ErrBelow where the directory is not to blame.
func (s state) authority(now time.Time, need, extra []string) (*authority, error) {
	err := os.MkdirAll(s.dir, 0o700)
	if err == nil {
		var unlock func()
		if unlock, err = lock(s.path(lockFile), lockWait); err == nil {
			defer unlock()
		}
	}
	found, problem := s.read(now, need)
	switch {
	case found != nil && problem == "":
		if err == nil {
			err = s.publish(found)
		}
		if err != nil { // what is there can be read, which is all that is needed
			s.log.Debug("the state directory is used as it is", "dir", s.dir, "error", err)
		}
		return found, nil
	case err != nil && (found == nil || !s.asIs):
		return nil, err
	case problem != "" && s.asIs:
		return nil, fmt.Errorf("%w: %s", ErrStale, problem)
	}
	made, err := successor(found, now, need, extra)
	if err != nil {
		return nil, err
	}
	if err := s.write(made); err != nil {
		return nil, err
	}
	switch {
	case found != nil:
		s.log.Warn("the CA for HTTPS has a new certificate, by which what runs with the former one stays trusted; copies of the former are "+
			"to be replaced", "file", s.path(caFile), "why", problem)
	case problem != "":
		s.log.Warn("a new CA takes the place of the one that was there; whoever trusted that must trust the new one",
			"file", s.path(caFile), "why", problem)
	default:
		s.log.Info("a CA was made for HTTPS; callsemu env tells how to trust it", "file", s.path(caFile))
	}
	return made, nil
}

// successor is the CA that takes the place of the one that was found, if one was. What that covers is covered by the new one,
// since there may be listeners with a certificate for it.
func successor(found *authority, now time.Time, need, extra []string) (*authority, error) {
	if found == nil {
		return newAuthority(now, atMost(need, extra))
	}
	optional := clean(extra)
	kept := slices.DeleteFunc(found.names(), func(name string) bool { return slices.Contains(optional, name) }) // atMost adds what fits
	all := clean(need, kept)
	if err := together(all); err != nil {
		return nil, err
	}
	return found.renewed(now, atMost(all, extra))
}

// read returns the CA that is there, and what is wrong with it: nothing and nothing where there is none.
func (s state) read(now time.Time, need []string) (found *authority, problem string) {
	text, err := os.ReadFile(s.path(keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ""
	}
	if err == nil {
		found, err = parseAuthority(text)
	}
	switch {
	case err != nil:
		return nil, fmt.Sprintf("%s cannot be used: %v", keyFile, err)
	case !found.lasts(now):
		return found, "it ends, or has ended, at " + found.cert.NotAfter.Format(time.DateOnly)
	}
	missing := slices.DeleteFunc(slices.Clone(need), found.covers)
	if len(missing) > 0 {
		return found, "it was not made for " + strings.Join(missing, ", ")
	}
	return found, ""
}

// write puts the CA into the directory. The key file is the truth: it is whole, or it is the old one.
func (s state) write(a *authority) error {
	text, err := a.keyPEM()
	if err != nil {
		return err
	}
	if err := s.replace(keyFile, text, 0o600); err != nil {
		return err
	}
	return s.publish(a)
}

// publish makes ca.pem the certificate of the key file, and the last one of bundle.pem where there is that, and keeps others away
// from the key.
func (s state) publish(a *authority) error {
	if info, err := os.Stat(s.path(keyFile)); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(s.path(keyFile), 0o600); err != nil {
			return err
		}
	}
	if err := s.renew(caFile, a.certPEM()); err != nil {
		return err
	}
	text, err := os.ReadFile(s.path(bundleFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	others := text[:max(0, bytes.LastIndex(text, []byte(certBegin)))]
	return s.renew(bundleFile, slices.Concat(others, a.certPEM()))
}

// renew writes a file for everybody to read, if it does not have that text.
func (s state) renew(name string, text []byte) error {
	if old, err := os.ReadFile(s.path(name)); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return s.replace(name, text, 0o644)
}

// replace writes a file in one step.
func (s state) replace(name string, text []byte, mode fs.FileMode) error {
	temp, err := os.CreateTemp(s.dir, "."+name+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Close())
	if err == nil && mode != 0o600 {
		err = os.Chmod(temp.Name(), mode)
	}
	if err == nil {
		err = os.Rename(temp.Name(), s.path(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
