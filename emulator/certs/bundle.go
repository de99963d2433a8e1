package certs

import (
	"bytes"
	"encoding/pem"
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
// of all else, and returns its path. From then on whoever changes the CA changes it there as well. What the system trusts is in the first file that there is of those that are given and
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
	ca, err := os.ReadFile(s.file) // the newest: another process may have replaced it
	if err != nil {
		return "", err
	}
	return path, dir.renew(bundleFile, slices.Concat(without(trusted, s.ca.cert.RawSubject), ca))
}

// without leaves the certificates out that have a subject: of a CA's certificates OpenSSL tries one alone, so a former one in the
// system's file would be in the way of the newest.
func without(text, subject []byte) (kept []byte) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return append(kept, text...)
		}
		if !bytes.Contains(block.Bytes, subject) {
			kept = append(kept, text[:len(text)-len(rest)]...)
		}
		text = rest
	}
}
