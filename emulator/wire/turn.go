package wire

import (
	"math"
	"time"
)

// CredentialsRequest is the body of generate-ice-servers and generate (contract 7.3).
type CredentialsRequest struct {
	TTL              int    `json:"ttl" wire:"required"` // seconds
	CustomIdentifier string `json:"customIdentifier"`    // for the service's statistics; no answer has it
}

// Validate bounds the ttl.
func (r *CredentialsRequest) Validate(longest time.Duration) *Error {
	most := int(min(longest/time.Second, math.MaxInt32))
	if r.TTL < 1 || r.TTL > most {
		return Refuse(TTLInvalid, "ttl is %d; credentials live from 1 to %d seconds, --set turn-max-ttl=DURATION moves the limit",
			r.TTL, most).Fill(most)
	}
	return nil
}

// ICEServer is one entry of RTCConfiguration.iceServers.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// ICEServersResponse is the answer of generate-ice-servers: an array, for RTCPeerConnection as it is. It is empty where there is
// no server.
type ICEServersResponse struct {
	ICEServers []ICEServer `json:"iceServers"`
}

// CredentialsResponse is the answer of generate: one object.
type CredentialsResponse struct {
	ICEServers ICEServer `json:"iceServers"`
}
