package main

import "testing"

func TestKeepCandidatesDropsOtherAddresses(t *testing.T) {
	const near = "a=candidate:1 1 udp 2130706431 127.0.0.1 1473 typ host\r\n"
	const far = "a=candidate:2 1 udp 2130706175 172.18.0.2 1473 typ host\r\n"
	sdp := "v=0\r\n" + near + far + "a=end-of-candidates\r\n"
	if got, want := keepCandidates(sdp, "127.0.0.1"), "v=0\r\n"+near+"a=end-of-candidates\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := keepCandidates(sdp, ""); got != sdp {
		t.Errorf("without an address got %q, want all", got)
	}
}
