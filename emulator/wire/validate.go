package wire

// The pure part of step 6 in the order of checks (contract 1.0). Limits that a rule can move are the session's.

// Validate refuses an answer where an offer belongs. A nil request is a session without a body.
func (r *NewSessionRequest) Validate() *Error {
	if r == nil {
		return nil
	}
	return wantOffer(r.SessionDescription)
}

// Validate checks that there are tracks, all local or all remote, each with the fields that its location needs.
func (r *TracksRequest) Validate() *Error {
	if len(r.Tracks) == 0 && !r.AutoDiscover {
		return Refuse(NoTracks, "tracks is absent or empty; name at least one track or set autoDiscover")
	}
	for i, track := range r.Tracks {
		if err := track.validate(i, r.SessionDescription != nil); err != nil {
			return err
		}
		if track.Remote() && r.AutoDiscover {
			return Refuse(MixedLocations, "autoDiscover publishes what the offer sends, tracks[%d] is a pull; "+
				"push and pull in separate requests", i)
		}
		if track.Remote() != r.Tracks[0].Remote() {
			return Refuse(MixedLocations, "tracks[0] and tracks[%d] differ in location; "+
				"push and pull in separate requests", i)
		}
	}
	if r.AutoDiscover && r.SessionDescription == nil {
		return Refuse(OfferExpected, "autoDiscover without a sessionDescription; send the offer whose tracks are to be named")
	}
	return wantOffer(r.SessionDescription)
}

func (t TrackObject) validate(i int, hasSDP bool) *Error {
	switch t.Location {
	case "", LocationLocal, LocationRemote:
	default:
		return Refuse(UnknownLocation, "tracks[%d].location is %q; use local or remote", i, t.Location).Fill(i)
	}
	if t.Remote() && t.SessionID == "" {
		return Refuse(MissingSessionID, "tracks[%d] is remote without the publisher's sessionId", i).Fill(i)
	}
	if !t.Remote() && hasSDP && t.Mid == "" {
		return Refuse(MissingMid, "tracks[%d] is local and comes with SDP, but names no mid; "+
			"read transceiver.mid after setLocalDescription", i).Fill(i)
	}
	if t.TrackName == "" {
		return Refuse(MissingTrackName, "tracks[%d].trackName is empty; give the track a name", i).Fill(i)
	}
	if t.Remote() {
		return t.Simulcast.validate(i)
	}
	if !hasSDP && t.Mid == "" && t.Kind != KindAudio && t.Kind != KindVideo {
		return Refuse(MissingKind, "tracks[%d] is local, comes without SDP and names no mid, and its kind is %q; "+
			"say audio or video, or send an offer", i, t.Kind).Fill(i)
	}
	return nil
}

func (s *Simulcast) validate(i int) *Error {
	if s == nil {
		return nil
	}
	for name, value := range map[string]string{"priorityOrdering": s.PriorityOrdering, "ridNotAvailable": s.RidNotAvailable} {
		switch value {
		case "", OrderNone, OrderAsciibetical:
		default:
			return Refuse(SimulcastInvalid, "tracks[%d].simulcast.%s is %q; use none or asciibetical", i, name, value).Fill(i)
		}
	}
	return nil
}

// Validate checks that every item names a mid and a legal choice of layers. What the mid carries is the session's matter.
func (r *UpdateTracksRequest) Validate() *Error {
	if len(r.Tracks) == 0 {
		return Refuse(NoTracks, "tracks is absent or empty; name at least one track to update")
	}
	for i, track := range r.Tracks {
		switch {
		case track.Location != "" && track.Location != LocationLocal && track.Location != LocationRemote:
			return Refuse(UnknownLocation, "tracks[%d].location is %q; use remote", i, track.Location).Fill(i)
		case track.Mid == "":
			return Refuse(MissingMid, "tracks[%d].mid is absent or empty; tracks are updated by the receiving mid", i).Fill(i)
		}
		if err := track.Simulcast.validate(i); err != nil {
			return err
		}
	}
	return nil
}

// Validate refuses a type that is neither offer nor answer. Whether an offer is welcome depends on the session.
func (r *RenegotiateRequest) Validate() *Error {
	switch r.SessionDescription.Type {
	case TypeOffer, TypeAnswer:
		return nil
	}
	return Refuse(AnswerExpected, "sessionDescription.type is %q; renegotiate takes the answer to the SFU's offer",
		r.SessionDescription.Type)
}

// Validate checks that tracks are named by mid, and that a close which is not forced brings an offer. The SDP of a
// forced close is not looked at.
func (r *CloseTracksRequest) Validate() *Error {
	if len(r.Tracks) == 0 {
		return Refuse(NoTracks, "tracks is absent or empty; name at least one mid to close")
	}
	for i, track := range r.Tracks {
		if track.Mid == "" {
			return Refuse(MissingMid, "tracks[%d].mid is absent or empty; tracks are closed by mid", i).Fill(i)
		}
	}
	if r.Force {
		return nil
	}
	if r.SessionDescription == nil {
		return Refuse(CloseWithoutOffer, "force is false or absent and there is no sessionDescription; "+
			"send the offer made after stopping the transceivers, or set force to true")
	}
	return wantOffer(r.SessionDescription)
}

func wantOffer(d *SessionDescription) *Error {
	if d == nil || d.Type == TypeOffer {
		return nil
	}
	return Refuse(OfferExpected, "sessionDescription.type is %q; an offer belongs here", d.Type)
}
