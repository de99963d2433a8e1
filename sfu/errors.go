package sfu

import (
	"errors"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// What can be wrong with a call; compare with errors.Is.
var (
	// ErrClosed: the SFU or the Peer has been closed, or the endpoint has closed its transport.
	ErrClosed = errors.New("sfu: closed")
	// ErrSDPSyntax: the text is no SDP.
	ErrSDPSyntax = sdp.ErrSyntax
	// ErrSDPLineEnd: the last line has no line termination (contract 1.3, a common effect of trimming JSON frameworks).
	ErrSDPLineEnd = sdp.ErrLineEnd
	// ErrSDPNoUfrag: a live m-section has no ICE credentials.
	ErrSDPNoUfrag = sdp.ErrNoUfrag
	// ErrSDPMismatch: the m-lines do not continue those of the session (RFC 8829 section 5.2.2: m-lines are never removed
	// or reordered), or nothing in the SDP can be used.
	ErrSDPMismatch = errors.New("sdp does not fit the session's m-lines")
	// ErrOfferPending: the SFU's offer has not been answered yet.
	ErrOfferPending = errors.New("an offer awaits its answer")
	// ErrNoOfferPending: there is nothing to answer.
	ErrNoOfferPending = errors.New("no offer awaits an answer")
	// ErrCodecMissing: an answer lacks the codec of the track that it would receive (contract 1.4).
	ErrCodecMissing = errors.New("answer lacks the published track's codec")
	// ErrNoSection: no live section with that mid can do what is asked: one that the endpoint sends on to publish, one that
	// the SFU sends on to pull into.
	ErrNoSection = errors.New("no such section")
	// ErrDataExists: the session has a section for data channels already (contract 1.9).
	ErrDataExists = errors.New("the session has a section for data channels already")
	// ErrNoData: the two sides have not agreed on a section for data channels.
	ErrNoData = errors.New("no section for data channels has been agreed")
	// ErrNoChannelIDs: all ids from 1 to 65534 are in use on this transport.
	ErrNoChannelIDs = errors.New("no data channel id is free")
	// ErrKindMismatch: audio for a video section or the other way round.
	ErrKindMismatch = errors.New("track and section are of different kinds")
	// ErrNoEndpoint is an exchange of SDP with the Peer of a Source.
	ErrNoEndpoint = errors.New("the session is an adapter's and has no endpoint")
)
