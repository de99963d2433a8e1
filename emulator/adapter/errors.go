package adapter

import "errors"

// What Open and Decodes fail with. The texts name no endpoint, whose URL may hold a token.
var (
	// ErrLocalhost is an endpoint on this machine where the policy forbids that.
	ErrLocalhost = errors.New("the endpoint is on this machine")
	// ErrForbidden is an endpoint at an address that the policy forbids.
	ErrForbidden = errors.New("the endpoint's address is forbidden")
	// ErrHandshake is an endpoint that cannot be reached, or does not accept the WebSocket.
	ErrHandshake = errors.New("the websocket handshake failed")
	// ErrTimeout is an endpoint that did not finish the handshake in time.
	ErrTimeout = errors.New("the websocket handshake took too long")
	// ErrClosed is an adapter that was closed while it was opened.
	ErrClosed = errors.New("the adapter is closed")
	// ErrCodec is a codec that no JPEG can be made of.
	ErrCodec = errors.New("no jpeg can be made of this codec")
	// ErrNoFFmpeg is a codec that needs ffmpeg, which is not there.
	ErrNoFFmpeg = errors.New("ffmpeg is not on the PATH")
)
