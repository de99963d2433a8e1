package wire

import (
	"strings"
	"testing"
)

func TestMalformedBodies(t *testing.T) {
	const (
		syntax = "The request could not be decoded."
		fields = "JSON body validation error: "
		first  = "Body JSON validation error: "
	)
	newSession := func() any { return new(NewSessionRequest) }
	tracks := func() any { return new(TracksRequest) }
	renegotiate := func() any { return new(RenegotiateRequest) }
	closing := func() any { return new(CloseTracksRequest) }
	for _, c := range []struct {
		name string
		into func() any
		body string
		want string
	}{
		{"empty object for a new session", newSession, `{}`, first + "sessionDescription"},
		{"null description", newSession, `{"sessionDescription":null}`, first + "sessionDescription"},
		{"description without sdp", newSession, `{"sessionDescription":{"type":"offer"}}`, first + "sessionDescription"},
		{"description without type", newSession, `{"sessionDescription":{"sdp":"v=0"}}`, first + "sessionDescription"},
		{"description is a string", newSession, `{"sessionDescription":"v=0"}`, first + "sessionDescription"},
		{"sdp is a number", newSession, `{"sessionDescription":{"type":"offer","sdp":1}}`, first + "sessionDescription"},
		{"no bytes", tracks, ``, syntax},
		{"blank", tracks, ` `, syntax},
		{"cut off", tracks, `{"tracks":[`, syntax},
		{"two values", tracks, `{} {}`, syntax},
		{"html", tracks, `<html>`, syntax},
		{"form", tracks, `tracks=a`, syntax},
		{"null", tracks, `null`, syntax},
		{"list", tracks, `[]`, syntax},
		{"string", tracks, `"tracks"`, syntax},
		{"deep nesting", tracks, strings.Repeat("[", 100_000), syntax},
		{"misspelt trackName in two items", tracks, `{"tracks":[{"location":"local","mid":"0","trackname":"a"},{"location":"local","mid":"1","trackname":"b"}]}`, fields + "0,1"},
		{"second item without trackName", tracks, `{"tracks":[{"trackName":"a"},{}]}`, fields + "1"},
		{"item is a string", tracks, `{"tracks":["a"]}`, fields + "0"},
		{"item is null", tracks, `{"tracks":[null]}`, fields + "0"},
		{"mid is a number", tracks, `{"tracks":[{"trackName":"a","mid":0}]}`, fields + "0"},
		{"simulcast is a string", tracks, `{"tracks":[{"trackName":"a","simulcast":"h"}]}`, fields + "0"},
		{"preferredRid is a number", tracks, `{"tracks":[{"trackName":"a","simulcast":{"preferredRid":1}}]}`, fields + "0"},
		{"tracks is an object", tracks, `{"tracks":{}}`, fields + "tracks"},
		{"tracks is a string", tracks, `{"tracks":"a"}`, fields + "tracks"},
		{"autoDiscover is a string", tracks, `{"autoDiscover":"true"}`, fields + "autoDiscover"},
		{"description is a list", tracks, `{"sessionDescription":[],"tracks":[]}`, fields + "sessionDescription"},
		{"two faulty fields", tracks, `{"tracks":1,"autoDiscover":1}`, fields + "tracks,autoDiscover"},
		{"empty object for an answer", renegotiate, `{}`, fields + "sessionDescription"},
		{"update item is a string", func() any { return new(UpdateTracksRequest) }, `{"tracks":[{"mid":"0"},"1"]}`, fields + "1"},
		{"force is a string", closing, `{"tracks":[{"mid":"0"}],"force":"yes"}`, fields + "force"},
		{"mid is an object", closing, `{"tracks":[{"mid":{}}],"force":true}`, fields + "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Decode([]byte(c.body), c.into())
			if err == nil {
				t.Fatal("it decodes")
			}
			if err.Status != 400 || err.Code != "decoding_error" || err.Description != c.want {
				t.Errorf("got %d %s, want 400 decoding_error: %s", err.Status, err, c.want)
			}
			if err.Explain == "" {
				t.Error("nothing is explained for the log")
			}
		})
	}
}

func TestOnlyIndexesAreExplainedAsSuch(t *testing.T) {
	for body, want := range map[string]string{
		`{"tracks":[{"trackName":"a"},{},5]}`:     "BODY-2: absent or of a wrong type: 1,2 (a number is the index of an item); field names are case-sensitive",
		`{"tracks":[{}],"autoDiscover":"x"}`:      "BODY-2: absent or of a wrong type: 0,autoDiscover (a number is the index of an item); field names are case-sensitive",
		`{"tracks":{"0":{}}}`:                     "BODY-2: absent or of a wrong type: tracks; field names are case-sensitive",
		`{"sessionDescription":{"type":"offer"}}`: "BODY-2: absent or of a wrong type: sessionDescription; field names are case-sensitive",
	} {
		if err := Decode([]byte(body), new(TracksRequest)); err == nil || err.Explain != want {
			t.Errorf("%s: %+v", body, err)
		}
	}
}

func TestDecodeTakesWhatClientsSend(t *testing.T) {
	var in TracksRequest
	err := Decode([]byte(` {"bidirectionalMediaStream":true,"tracks":[
		{"location":"remote","sessionId":"s","trackName":"a","mid":null,"extra":[1],"simulcast":{"preferredRid":""}},
		{"location":"local","mid":"0","trackName":"b","bidirectionalMediaStream":true,"kind":"audio"}],
		"sessionDescription":{"type":"offer","sdp":"v=0\r\n","extra":1}}`), &in)
	if err != nil {
		t.Fatal(err)
	}
	first, second := in.Tracks[0], in.Tracks[1]
	if !first.Remote() || first.SessionID != "s" || first.Simulcast.PreferredRid == nil || *first.Simulcast.PreferredRid != "" {
		t.Errorf("first item is %+v", first)
	}
	if second.Remote() || second.Mid != "0" || second.TrackName != "b" || !second.BidirectionalMediaStream || second.Kind != "audio" {
		t.Errorf("second item is %+v", second)
	}
	if *in.SessionDescription != (SessionDescription{Type: "offer", SDP: "v=0\r\n"}) {
		t.Errorf("description is %+v", in.SessionDescription)
	}
}

func TestItemWithoutLocationIsRemoteIfItNamesASession(t *testing.T) {
	if !(TrackObject{SessionID: "s"}).Remote() || (TrackObject{Mid: "0"}).Remote() {
		t.Error("the location was not told from sessionId")
	}
}

func TestForceIsFalseWhenAbsent(t *testing.T) {
	in := CloseTracksRequest{Force: false}
	if err := Decode([]byte(`{"tracks":[{"mid":"3","location":"local"}]}`), &in); err != nil {
		t.Fatal(err)
	}
	if in.Force || in.Tracks[0].Mid != "3" {
		t.Errorf("decoded as %+v", in)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"tracks":[{"trackName":"a","simulcast":{}}],"sessionDescription":{"type":"offer","sdp":""}}`))
	f.Add([]byte(`{"tracks":[null,1,"",[],{}],"autoDiscover":null}`))
	f.Add([]byte(`{"dataChannels":[{"location":"remote","sessionId":"s","dataChannelName":"a","ordered":false,"maxRetransmits":0,"id":1e99}]}`))
	f.Add([]byte(`{"dataChannel":{"dataChannelName":"server-events"},"datachannel":null,"dataChannels":[{"id":-1.5}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, into := range []any{new(NewSessionRequest), new(TracksRequest), new(RenegotiateRequest), new(UpdateTracksRequest), new(CloseTracksRequest),
			new(EstablishRequest), new(NewChannelsRequest), new(UpdateChannelsRequest), new(CloseChannelsRequest)} {
			err := Decode(body, into)
			if err != nil {
				if err.Code != "decoding_error" {
					t.Errorf("%q gives %v", body, err)
				}
				continue
			}
			_ = into.(interface{ Validate() *Error }).Validate() // must not panic on what decodes
		}
	})
}
