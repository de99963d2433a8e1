package wire

import (
	"strings"
	"testing"
)

func TestAdapterRequestsAreChecked(t *testing.T) {
	local := AdapterTrack{Location: "local", TrackName: "a", Endpoint: "ws://localhost:9000/x?t=1", InputCodec: "pcm"}
	remote := AdapterTrack{Location: "remote", TrackName: "a", SessionID: "s", Endpoint: "wss://host", OutputCodec: "jpeg"}
	with := func(from AdapterTrack, change func(*AdapterTrack)) AdapterTrack { change(&from); return from }
	endpoint := func(s string) AdapterTrack { return with(local, func(t *AdapterTrack) { t.Endpoint = s }) }
	const none = "Expecting at least 1 track in the request"
	for want, requests := range map[string][][]AdapterTrack{
		"": {{local}, {remote}, {local, remote, local, remote}, {with(local, func(t *AdapterTrack) { t.SessionID, t.OutputCodec = "s", "x" })},
			{endpoint("ws://[::1]:1/")}, {endpoint("wss://host.example/path?token=a%20b")}},
		none: {nil, {}},
		"Expecting at most 4 track in the request": {{local, local, local, local, local}},
		"tracks[0]: Invalid location in track": {{with(local, func(t *AdapterTrack) { t.Location = "" })},
			{with(local, func(t *AdapterTrack) { t.Location = "Local" })}},
		"tracks[1]: Missing trackName in track": {{local, with(remote, func(t *AdapterTrack) { t.TrackName = "" })}},
		"tracks[1]: Missing sessionId in track": {{local, with(remote, func(t *AdapterTrack) { t.SessionID = "" })}},
		"tracks[0]: Invalid inputCodec in track": {{with(local, func(t *AdapterTrack) { t.InputCodec = "" })},
			{with(local, func(t *AdapterTrack) { t.InputCodec = "jpeg" })}},
		"tracks[0]: Invalid outputCodec in track": {{with(remote, func(t *AdapterTrack) { t.OutputCodec = "" })},
			{with(remote, func(t *AdapterTrack) { t.OutputCodec = "opus" })}},
		"tracks[0]: Invalid endpoint in track": {{endpoint("")}, {endpoint("http://host")}, {endpoint("WS://host")}, {endpoint("ws://")},
			{endpoint("ws:///path")}, {endpoint("ws://bad host/")}, {endpoint("ws://:9000/")}, {endpoint("ws://u:p@host/")},
			{endpoint("ws://host/#part")}, {endpoint("ws://host/#")}, {endpoint(" ws://host")}, {endpoint("ws://host:port/")}},
	} {
		for _, tracks := range requests {
			err := (&AdaptersRequest{Tracks: tracks}).Validate()
			got := ""
			if err != nil {
				got = err.Description
			}
			if got != want || err != nil && (err.Status != 406 || err.Code != "invalid_params") {
				t.Errorf("%+v: %v, want %q", tracks, err, want)
			}
		}
	}
}

func TestExplanationsOfEndpointsQuoteNoToken(t *testing.T) {
	for _, endpoint := range []string{"ws://u:canary@host/", "http://host/?canary", "ws://bad host/?canary", "ws://host/?a#canary"} {
		err := (&AdaptersRequest{Tracks: []AdapterTrack{{Location: "local", TrackName: "a", InputCodec: "pcm", Endpoint: endpoint}}}).Validate()
		if err == nil || strings.Contains(err.Explain, "canary") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestClosingNamesOneToFourAdapters(t *testing.T) {
	one := CloseAdapter{AdapterID: "a"}
	for want, tracks := range map[string][]CloseAdapter{
		"": {one, one, one, one},
		"Expecting at least 1 track in the request": nil,
		"Expecting at most 4 track in the request":  {one, one, one, one, one},
		"tracks[1]: Missing adapterId in track":     {one, {}},
	} {
		err := (&CloseAdaptersRequest{Tracks: tracks}).Validate()
		if want == "" && err != nil || want != "" && (err == nil || err.Description != want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestUndecodableAdapterRequestsHaveTheirOwnText(t *testing.T) {
	for _, body := range []string{`{"tracks":[{"location":5}]}`, `{"tracks":{}}`, `{"tracks":"x"}`, `[]`, `{`, ``, `null`} {
		for _, into := range []any{&AdaptersRequest{}, &CloseAdaptersRequest{}} {
			err := Decode([]byte(body), into)
			if strings.Contains(body, "location") {
				if _, closing := into.(*CloseAdaptersRequest); closing {
					continue // a field that it does not know
				}
			}
			if err == nil || err.Status != 400 || err.Code != "decoding_error" || err.Description != "The request could not be decoded." {
				t.Errorf("%s into %T: %v", body, into, err)
			}
		}
	}
	var in AdaptersRequest
	if err := Decode([]byte(`{"tracks":[{"location":"local","mode":"buffer","sessionId":null}],"x":1}`), &in); err != nil || in.Tracks[0].Location != "local" {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestShapesOfAdapterAnswers(t *testing.T) {
	failure := Refuse(AdapterHandshake, "why")
	bytes := uint64(0)
	for want, value := range map[string]any{
		`{"tracks":[{"trackName":"a","adapterId":"i","sessionId":"s","endpoint":"e"}]}`: &AdaptersResponse{Tracks: []AdapterResult{{"a", "i", "s", "e", "", ""}}},
		`{"tracks":[{"trackName":"a","errorCode":"websocket_handshake_failed","errorDescription":"The handshake with the provided endpoint failed."}]}`: &AdaptersResponse{
			Tracks: []AdapterResult{AdapterResult{"a", "i", "s", "e", "", ""}.Fail(failure)}},
		`{"tracks":[{"adapterId":"i","bytesProcessed":0},{"adapterId":"j"}]}`: &CloseAdaptersResponse{
			Tracks: []CloseAdapterResult{{AdapterID: "i", BytesProcessed: &bytes}, {AdapterID: "j"}}},
		`{"tracks":[{"adapterId":"i","errorCode":"adapter_not_found","errorDescription":"Adapter not found"}]}`: &CloseAdaptersResponse{
			Tracks: []CloseAdapterResult{CloseAdapterResult{AdapterID: "i", BytesProcessed: &bytes}.Fail(Refuse(AdapterNotFound, ""))}},
	} {
		if got := encode(t, value); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestOnlyATotalFailureIsAStatus(t *testing.T) {
	failed := Failures{Failed: []*Error{Refuse(AdapterHandshake, "")}}
	for want, answer := range map[int]*AdaptersResponse{
		503: {Failures: failed, Tracks: make([]AdapterResult, 1)},
		200: {Failures: failed, Tracks: make([]AdapterResult, 2)},
	} {
		if got := answer.Status(); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	if got := (&CloseAdaptersResponse{Failures: failed, Tracks: make([]CloseAdapterResult, 1)}).Status(); got != 503 {
		t.Errorf("closing: %d", got)
	}
}
