//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package certs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// lockPause lies between two attempts at a lock.
const lockPause = 10 * time.Millisecond

// lock takes the lock that a file stands for by making the file. One that is older than any holder needs it was left
// behind by a process that was killed.
func lock(path string, wait time.Duration) (unlock func(), err error) {
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_ = file.Close()
			return func() { _ = os.Remove(path) }, nil
		}
		info, statErr := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrExist): // held, or it was until now
		case errors.Is(err, fs.ErrPermission) && statErr == nil: // so Windows says of a file that is being removed
		default:
			return nil, err
		}
		if statErr == nil && time.Since(info.ModTime()) > wait {
			_ = os.Remove(path)
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return nil, errors.Join(errLocked, err)
		}
	}
}
