// Package certs gives the TLS listeners their certificate: one signed by a CA of its own, which is made on first use and
// kept in a directory, or one that the user brings.
//
// The CA is meant to be trusted by programs on developers' machines, so it is worth nothing to anybody else: critical name
// constraints hold it to the names that it was made for (without their subdomains) and to loopback, private and link-local
// addresses, it signs server certificates only, and its key never leaves the directory. What a CA is asked for beyond its
// constraints takes another certificate of the CA, as its end does, for what it covered and what is asked for: the key stays, so that
// whoever trusts the new certificate trusts processes that run with the former one. The log says so, since copies must be replaced.
//
// # The directory
//
//	ca.pem      the certificate, for everybody to read
//	ca-key.pem  the key with its certificate, mode 0600: the truth, replaced in one step
//	bundle.pem  what the system trusts and the certificate, once somebody asked for it; whoever changes ca.pem changes this
//	lock        held while any of them is looked at or changed, so that processes that start together agree on one CA
//
// A directory that cannot be written is used if there is a CA in it; otherwise the CA lives in memory, and a log line says
// why. Server certificates are made at each start and near their end; they are not kept.
//
// # Ownership
//
// No goroutine. A Source is safe for concurrent use.
//
// # Lock order
//
// Source.mu is a leaf: only a certificate is made under it.
//
// # What it does not do
//
// It installs nothing into any trust store, and it knows no protocol that is spoken over TLS.
package certs
