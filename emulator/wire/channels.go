package wire

// ServerEvents is the one data channel that datachannels/establish gives (contract 1.9).
const ServerEvents = "server-events"

// StatusInitializing is the status of a data channel whose transport is not up yet (contract 1.7).
const StatusInitializing = "initializing"

// maxDeliveryLimit is the highest value that createDataChannel of a browser takes for either limit.
const maxDeliveryLimit = 65535

// EstablishRequest is the body of datachannels/establish (contract 1.9). The channel stands under dataChannel; clients in the
// field also spell it datachannel, or send a list of one.
type EstablishRequest struct {
	DataChannel        *EstablishChannel   `json:"dataChannel,omitempty"`
	Misspelt           *EstablishChannel   `json:"datachannel,omitempty"`
	List               []EstablishChannel  `json:"dataChannels,omitempty"`
	SessionDescription *SessionDescription `json:"sessionDescription,omitempty"`
}

// EstablishChannel names the channel to establish, which can only be server-events.
type EstablishChannel struct {
	Location        string `json:"location,omitempty"`
	DataChannelName string `json:"dataChannelName" wire:"required"`
}

// EstablishResponse answers datachannels/establish: with the SFU's offer, or the answer to the client's.
type EstablishResponse struct {
	RequiresImmediateRenegotiation bool                `json:"requiresImmediateRenegotiation"`
	DataChannel                    EstablishedChannel  `json:"dataChannel"`
	SessionDescription             *SessionDescription `json:"sessionDescription"`
}

// EstablishedChannel is server-events with its stream id.
type EstablishedChannel struct {
	DataChannelName string `json:"dataChannelName"`
	ID              int    `json:"id"`
}

// NewChannelsRequest is the body of datachannels/new (contract 1.10).
type NewChannelsRequest struct {
	DataChannels []ChannelObject `json:"dataChannels"`
}

// UpdateChannelsRequest is the body of datachannels/update (contract 1.11).
type UpdateChannelsRequest struct {
	DataChannels []ChannelObject `json:"dataChannels"`
}

// ChannelObject names one data channel to publish or to subscribe to, or a subscription to update. maxPacketLifeTime is in
// ms. waitForAck and canReply mean something on subscriptions only.
type ChannelObject struct {
	Location          string `json:"location,omitempty"`
	DataChannelName   string `json:"dataChannelName" wire:"required"`
	SessionID         string `json:"sessionId,omitempty"`
	Ordered           *bool  `json:"ordered,omitempty"`
	MaxRetransmits    *int   `json:"maxRetransmits,omitempty"`
	MaxPacketLifeTime *int   `json:"maxPacketLifeTime,omitempty"`
	WaitForAck        bool   `json:"waitForAck,omitempty"`
	CanReply          *bool  `json:"canReply,omitempty"`
}

// Remote reports whether the item is a subscription. As with tracks, a sessionId marks one where location is left out
// (contract 0.3; the mark is inferred).
func (c ChannelObject) Remote() bool {
	if c.Location == "" {
		return c.SessionID != ""
	}
	return c.Location == LocationRemote
}

// CloseChannelsRequest is the body of datachannels/close (contract 1.12).
type CloseChannelsRequest struct {
	DataChannels []CloseChannel `json:"dataChannels"`
}

// CloseChannel names a data channel of the session by its id.
type CloseChannel struct {
	ID int `json:"id" wire:"required"`
}

// ChannelsResponse answers datachannels/new, update and close.
type ChannelsResponse struct {
	Failures     `json:"-"`
	DataChannels []ChannelResult `json:"dataChannels"`
}

// ChannelResult is the outcome of one item: location and name as requested, and the id on this session's transport. The
// delivery policy is not echoed: a client compares an echo with its own (contract 1.10). A failed item has no id, but for
// close, where it is the requested one.
type ChannelResult struct {
	Location         string `json:"location,omitempty"`
	DataChannelName  string `json:"dataChannelName,omitempty"`
	SessionID        string `json:"sessionId,omitempty"`
	ID               *int   `json:"id,omitempty"`
	CanReply         *bool  `json:"canReply,omitempty"`
	ErrorCode        string `json:"errorCode,omitempty"`
	ErrorDescription string `json:"errorDescription,omitempty"`
}

// Fail returns the item with the error's code and text in it.
func (c ChannelResult) Fail(e *Error) ChannelResult {
	c.ErrorCode, c.ErrorDescription = e.Code, e.Description
	return c
}

// Failed says whether the item is one that failed.
func (c ChannelResult) Failed() bool { return c.ErrorCode != "" }

// Channel is what the request names, in whichever form.
func (r *EstablishRequest) Channel() *EstablishChannel {
	switch {
	case r.DataChannel != nil:
		return r.DataChannel
	case r.Misspelt != nil:
		return r.Misspelt
	case len(r.List) == 1:
		return &r.List[0]
	}
	return nil
}

// Validate checks that the request names server-events, and an offer if any SDP.
func (r *EstablishRequest) Validate() *Error {
	channel := r.Channel()
	switch {
	case channel == nil:
		return Refuse(BodyFieldsInvalid, "no dataChannel, or a list that has not exactly one item; send "+
			`{"dataChannel":{"location":"remote","dataChannelName":"server-events"}}`).Fill("dataChannel")
	case channel.DataChannelName != ServerEvents || channel.Location != "" && channel.Location != LocationRemote:
		return Refuse(NotServerEvents, "establish was asked for %q of location %q; ask for the remote channel server-events, and "+
			"get others by datachannels/new", channel.DataChannelName, channel.Location)
	}
	return wantOffer(r.SessionDescription)
}

// Validate checks that there are channels, all local or all remote, each with the fields that its location needs.
func (r *NewChannelsRequest) Validate() *Error {
	if len(r.DataChannels) == 0 {
		return Refuse(NoChannels, "dataChannels is absent or empty; name at least one channel")
	}
	for i, c := range r.DataChannels {
		if err := c.validate(i); err != nil {
			return err
		}
		if err := c.validatePolicy(i); err != nil {
			return err
		}
		if c.Remote() != r.DataChannels[0].Remote() {
			return Refuse(MixedChannels, "dataChannels[0] and dataChannels[%d] differ in location; "+
				"publish and subscribe in separate requests", i)
		}
	}
	return nil
}

// Validate checks that every item names a subscription.
func (r *UpdateChannelsRequest) Validate() *Error {
	if len(r.DataChannels) == 0 {
		return Refuse(NoChannels, "dataChannels is absent or empty; name at least one subscription")
	}
	for i, c := range r.DataChannels {
		if err := c.validate(i); err != nil {
			return err
		}
		if !c.Remote() {
			return Refuse(ChannelLocation, "dataChannels[%d] is local; only subscriptions can be updated, by remote location, "+
				"publisher's sessionId and name", i).Fill(i)
		}
	}
	return nil
}

// Validate checks that there are ids. What they stand for is the session's matter.
func (r *CloseChannelsRequest) Validate() *Error {
	if len(r.DataChannels) == 0 {
		return Refuse(NoChannels, "dataChannels is absent or empty; name at least one id to close")
	}
	return nil
}

func (c ChannelObject) validate(i int) *Error {
	switch c.Location {
	case "", LocationLocal, LocationRemote:
	default:
		return Refuse(ChannelLocation, "dataChannels[%d].location is %q; use local or remote", i, c.Location).Fill(i)
	}
	if c.Remote() && c.SessionID == "" {
		return Refuse(MissingChannelSession, "dataChannels[%d] is remote without the publisher's sessionId", i).Fill(i)
	}
	if c.DataChannelName == "" {
		return Refuse(MissingChannelName, "dataChannels[%d].dataChannelName is empty; give the channel a name", i).Fill(i)
	}
	return nil
}

// validatePolicy: both limits at once mean nothing to SCTP, nor to createDataChannel (contract 1.10).
func (c ChannelObject) validatePolicy(i int) *Error {
	if c.MaxRetransmits != nil && c.MaxPacketLifeTime != nil {
		return Refuse(ChannelPolicy, "dataChannels[%d] has both maxRetransmits and maxPacketLifeTime; give one of them", i).Fill(i)
	}
	for name, value := range map[string]*int{"maxRetransmits": c.MaxRetransmits, "maxPacketLifeTime": c.MaxPacketLifeTime} {
		if value != nil && (*value < 0 || *value > maxDeliveryLimit) {
			return Refuse(ChannelPolicy, "dataChannels[%d].%s is %d; use 0 to %d", i, name, *value, maxDeliveryLimit).Fill(i)
		}
	}
	return nil
}
