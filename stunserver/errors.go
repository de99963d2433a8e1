package stunserver

import (
	"errors"
	"fmt"
)

var (
	// ErrBadAddr says that Config.Addr is not of the form host:port, or that
	// its host has no address.
	ErrBadAddr = errors.New("not a usable host:port")

	// ErrBusy says that another socket holds the port of Config.Addr, on UDP
	// or on TCP (the text says which). The caller knows the name of the
	// setting that moves it.
	ErrBusy = errors.New("address already in use")

	// ErrNotLocal says that the host of Config.Addr is no address of this
	// machine.
	ErrNotLocal = errors.New("not an address of this machine")

	// ErrNotIssued says that a username was not issued by this process.
	ErrNotIssued = errors.New("not a username that was issued here")

	// ErrExpired says that a credential is older than its ttl.
	ErrExpired = errors.New("the credential has expired")

	// ErrRevoked says that a credential, or the TURN key that it was issued
	// with, was revoked.
	ErrRevoked = errors.New("the credential was revoked")

	// errWrongCredential says that a username is good, but not the credential.
	errWrongCredential = errors.New("the credential does not belong to the username")

	// errFrame says that a stream is not one of STUN messages and ChannelData,
	// or announces a message that is too long.
	errFrame = errors.New("not a STUN or ChannelData frame")

	// ErrClosed says that the server is closed.
	ErrClosed = errors.New("server closed")

	// ErrFull says that there are as many allocations as the limits let be.
	ErrFull = errors.New("too many allocations")

	// ErrNoPort says that no port of the range is free.
	ErrNoPort = errors.New("no free relay port")
)

// TLSError says that the error is about Config.TLSAddr.
type TLSError struct{ Err error }

func (e *TLSError) Error() string { return fmt.Sprintf("TURN over TLS: %v", e.Err) }

// Unwrap gives the reason.
func (e *TLSError) Unwrap() error { return e.Err }
