package certs

import (
	"os"
	"path/filepath"
	"slices"
)

const bundleFile = "bundle.pem"

// systemRoots are where systems keep what they trust in one file: Debian, Fedora and RHEL, openSUSE, Alpine and macOS.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// Bundle writes a file beside the CA's that has the CA and what the system trusts, for programs that take one file in place
// of all else, and returns its path. What the system trusts is in the first file that there is of those that are given and
// the usual ones; where there is none, the CA is alone.
func (s *Source) Bundle(roots ...string) (string, error) {
	if err := s.Kept(); err != nil {
		return "", err
	}
	dir := state{dir: filepath.Dir(s.file)}
	path := absolute(dir.path(bundleFile))
	var trusted []byte
	for _, file := range slices.Concat(roots, systemRoots) {
		text, err := os.ReadFile(file)
		if err == nil && len(text) > 0 && absolute(file) != path { // not what an earlier call has written
			trusted = append(text, '\n')
			break
		}
	}
	unlock, err := lock(dir.path(lockFile), lockWait)
	if err != nil {
		return "", err
	}
	defer unlock()
	text := slices.Concat(trusted, s.CA())
	if old, err := os.ReadFile(path); err == nil && slices.Equal(old, text) {
		return path, nil
	}
	return path, dir.replace(bundleFile, text, 0o644)
}
