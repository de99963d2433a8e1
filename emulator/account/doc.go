// Package account holds what Cloudflare accounts hold (contract 8): apps and TURN keys with their names and secrets, and
// the API tokens by which the accounts are managed. It is the one place where a secret is kept; everybody else asks whether
// a token is the right one. The services read it: package session for apps, the credential endpoints for TURN keys. The
// account API changes it.
//
// # Ownership
//
// Values only, no goroutine. Nothing is written anywhere: a Store lives as long as its process.
//
// # Lock order
//
// Store.mu is a leaf; nothing is called under it.
//
// # What it does not do
//
// It knows no HTTP and no error of the API, and it does not end what runs on an app or a key that is deleted: who deletes
// tells the services.
package account
