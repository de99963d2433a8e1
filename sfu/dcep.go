package sfu

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"github.com/pion/sctp"
)

// The messages by which a channel is opened in band (RFC 8832 section 5).
const (
	dcepAck  = 2
	dcepOpen = 3

	dcepUnordered = 0x80 // in the channel type
)

// openMessage asks for a reliable, ordered channel.
func openMessage(label string) []byte {
	b := make([]byte, 12, 12+len(label))
	b[0] = dcepOpen
	binary.BigEndian.PutUint16(b[8:], uint16(len(label)))
	return append(b, label...)
}

// firstWord is how long the answer to an opening is waited for, in real time. An endpoint that has negotiated the channel by itself may
// give none.
const firstWord = time.Second

// serveInband keeps an in-band channel open until the endpoint resets it or the association ends: it acknowledges whatever
// asks to be opened, and swallows the rest. Data on an id that nobody has allocated is swallowed as well. It calls heard, unless that is
// nil, with the first word of the endpoint, whatever it is, or after firstWord.
func serveInband(stream *sctp.Stream, heard func()) {
	buf := make([]byte, readBuffer)
	if heard != nil {
		_ = stream.SetReadDeadline(time.Now().Add(firstWord)) // it never fails
	}
	for {
		n, kind, err := stream.ReadSCTP(buf)
		if heard != nil {
			_ = stream.SetReadDeadline(time.Time{})
			heard()
			heard = nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if grown, retry := grow(buf, n, err); retry {
			buf = grown
			continue
		}
		if err != nil {
			_ = stream.Close() // answers the endpoint's reset (RFC 8831 section 6.7); an error means that all is ending
			return
		}
		if kind == sctp.PayloadTypeWebRTCDCEP && n > 1 && buf[0] == dcepOpen {
			// What the endpoint gives up on an unordered channel must be forgotten on this side too (RFC 3758 section 3.6).
			stream.SetReliabilityParams(buf[1]&dcepUnordered != 0, sctp.ReliabilityTypeReliable, 0)
			_, _ = stream.WriteSCTP([]byte{dcepAck}, sctp.PayloadTypeWebRTCDCEP) // an error means that all is ending
		}
	}
}
