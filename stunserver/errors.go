package stunserver

import "errors"

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
)
