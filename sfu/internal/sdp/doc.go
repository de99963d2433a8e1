// Package sdp reads the session descriptions that endpoints send and writes those of the SFU, in the shape that was
// recorded of the real service (contract 3.1).
//
// Path: Parse gives a Description with what negotiation needs of each m-line; negotiation fills a Description of its own,
// whose Text is the answer or offer. The package is pure and knows no session.
//
// It does not judge: whether an offer fits the session is for the caller.
package sdp
