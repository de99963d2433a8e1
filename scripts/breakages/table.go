package main

// breakage is one way to break the emulator.
type breakage struct {
	what     string // in words
	file     string // from the root of the tree
	old, new string // of its source; old stands there once
	noticed  string // id of the case that has to fail
}

var breakages = []breakage{
	// Statuses and forms of answers.
	{"sessions/new answers 200", "emulator/call.go", "return http.StatusCreated, out, nil", "return http.StatusOK, out, nil", "session/new"},
	{"a success has a field that nobody knows", "emulator/wire/messages.go", "\tSessionID          string              `json:\"sessionId\"`\n\tSessionDescription *SessionDescription `json:\"sessionDescription,omitempty\"`\n}\n\n// TracksRequest",
		"\tSessionID          string              `json:\"sessionId\"`\n\tSessionDescription *SessionDescription `json:\"sessionDescription,omitempty\"`\n\tExtra              string              `json:\"extra\"`\n}\n\n// TracksRequest", "session/new"},
	{"a pushed item comes back without its trackName", "emulator/session/push.go", "results[i].TrackName = item.TrackName", `results[i].TrackName = ""`, "push/shape"},
	{"a success has an empty errorCode", "emulator/wire/messages.go", "ErrorCode        string     `json:\"errorCode,omitempty\"`", "ErrorCode        string     `json:\"errorCode\"`", "push/shape"},
	{"items come back in reverse", "emulator/session/pull.go", "\treturn s.tracksResponse(results, plan.failures(), sdp)",
		"\tfor a, b := 0, len(results)-1; a < b; a, b = a+1, b-1 {\n\t\tresults[a], results[b] = results[b], results[a]\n\t}\n\treturn s.tracksResponse(results, plan.failures(), sdp)", "pull/shape"},
	{"a session that is gone is 404", "emulator/wire/catalogue.go", `Code: "session_error", Status: 410`, `Code: "session_error", Status: 404`, "session/unknown"},
	{"a wrong secret is 403", "emulator/wire/catalogue.go", `Code: "unauthorized", Status: 401`, `Code: "unauthorized", Status: 403`, "auth/secret"},
	{"pages may not read answers", "emulator/front.go", `h.Set("Access-Control-Allow-Origin", origin)`, "_ = origin", "http/cors"},
	{"adapters that have all failed are 200", "emulator/wire/adapters.go", "if failed == items {", "if failed > items {", "adapters/no-source"},
	{"TURN credentials come with 200", "emulator/credentials.go", "return http.StatusCreated, shown(server), nil", "return http.StatusOK, shown(server), nil", "turn/list"},
	{"an app's secret is shown again", "emulator/wire/account.go", "\tModified string `json:\"modified\"`\n}\n\n// NewAccountApp", "\tModified string `json:\"modified\"`\n\tSecret   string `json:\"secret\"`\n}\n\n// NewAccountApp", "account/app"},
	{"the text about a wrong method names another one", "emulator/accounts.go", "this path takes %s\", allowed).Fill(c.request.Method)", "this path takes %s\", allowed).Fill(allowed)", "account/method"},
	{"an overlap lacks the subcode that it is to have", "emulator/fault/set.go", "failure.Status, failure.Subcode = e.row.Status, e.Rule.Subcode", "failure.Status = e.row.Status", "fault/newTracks"},

	// What is refused.
	{"null is no absence", "emulator/wire/decode.go", "\t\tif value == nil {\n", "\t\tif _, given := object[name]; given && value == nil {\n\t\t\tfaults = append(faults, name)\n\t\t\tcontinue\n\t\t}\n\t\tif value == nil {\n", "field/newTracks/tracks[].simulcast"},
	{"an unknown priorityOrdering is taken", "emulator/wire/validate.go", `case "", OrderNone, OrderAsciibetical:`, "case value:", "simulcast/bad-choice"},
	{"an unknown location is taken", "emulator/wire/validate.go", "\tswitch t.Location {\n\tcase \"\", LocationLocal, LocationRemote:", "\tswitch t.Location {\n\tcase t.Location:", "malformed/params"},
	{"a ttl of any length is taken", "emulator/credentials.go", "if refused := in.Validate(a.front.registry.Rules().TURNMaxTTL); refused != nil {", "if refused := in.Validate(a.front.registry.Rules().TURNMaxTTL); refused != nil && in.TTL <= 0 {", "turn/ttl"},
	{"65 tracks in one call are taken", "emulator/session/registry.go", "most := r.Rules().MaxTracks; tracks > most", "most := r.Rules().MaxTracks; tracks > most+1", "limit/65-tracks"},
	{"a mid of any JSON type is taken", "emulator/wire/decode.go", "\t\tif !assign(value, into.Field(i)) {\n", "\t\tif !assign(value, into.Field(i)) && name != \"mid\" {\n", "field/newTracks/tracks[].mid"},
	{"what is required may be null", "emulator/wire/decode.go", "\t\t\tif field.Tag.Get(\"wire\") == \"required\" {\n", "\t\t\tif _, given := object[name]; !given && field.Tag.Get(\"wire\") == \"required\" {\n", "field/newTracks/tracks[].trackName"},
	{"an app's secret issues TURN credentials", "emulator/credentials.go", "\tcase account.Wrong:\n", "\tcase account.Wrong:\n\t\tif c.token == a.emulator.Secret() {\n\t\t\treturn nil\n\t\t}\n", "turn/token"},
	{"an escaped id is another one", "emulator/front.go", "return mux.NewRouter().SkipClean(true) }", "return mux.NewRouter().SkipClean(true).UseEncodedPath() }", "session/fresh"},

	// Waits and lives.
	{"425 comes at once", "emulator/session/session.go", "s.newWait(ruleTransportWait, s.reg.Rules().TransportWait)", "s.newWait(ruleTransportWait, time.Millisecond)", "wait/push"},
	{"a pull waits for 2 s of the 8.2", "emulator/session/rules.go", `RuleInfo{"media-wait", "8.2s"`, `RuleInfo{"media-wait", "2s"`, "wait/empty-track"},
	{"mutations of one session run beside each other", "emulator/session/session.go", "turn:    make(chan struct{}, 1),", "turn:    make(chan struct{}, 9),", "session/in-order"},
	{"a session that never connects lives on", "emulator/session/expiry.go", "due: s.created.Add(rules.NeverConnected)", "due: s.created.Add(1000 * rules.NeverConnected)", "life/fresh"},
	{"a silent track is never collected", "emulator/session/rules.go", `RuleInfo{"silent-track", "30s"`, `RuleInfo{"silent-track", "3000s"`, "life/silent-track"},
	{"establish on a session that is gone is 425", "emulator/session/registry.go", "\t\treturn none, r.refuseUnknown(app, call.Session)\n",
		"\t\tif call.Operation == OpEstablishData {\n\t\t\treturn none, wire.Refuse(wire.SessionNotReady, \"session %s is gone; wait for it\", call.Session)\n\t\t}\n\t\treturn none, r.refuseUnknown(app, call.Session)\n", "life/fresh"},
	{"sessions of a deleted app go on", "emulator/accounts.go", "a.registry.DeleteApp(c.id)", "_ = a.registry", "account/usable"},
	{"an expired credential keeps its allocation", "stunserver/credentials.go", "\t\tif why := c.overLocked(h.grant, now); why != nil {\n", "\t\tif why := c.overLocked(h.grant, now); why != nil && why != ErrExpired {\n", "turn/expired"},
	{"a revoked credential is as good as before", "stunserver/credentials.go", "\tcase revoked || deleted:\n", "\tcase (revoked || deleted) && false:\n", "turn/revoked"},
	{"a credential ends half a minute early", "stunserver/credentials.go", "case !now.Before(g.expires):", "case !now.Before(g.expires.Add(-30 * time.Second)):", "turn/expired"},
	{"a credential is good for one allocation", "stunserver/allocations.go", "case own >= limits.PerCredential:", "case own >= 1:", "turn/many"},

	{"TURN gives no relay where one of TCP is asked for", "stunserver/request.go", "if err != nil || len(transport) != 4 {", "if err != nil || len(transport) != 4 || transport[0] != 17 {", "turn/family"},

	// Descriptions.
	{"mids of the SFU count from 1", "sfu/negotiation.go", "\tnext := 0\n", "\tnext := 1\n", "pull/shape"},
	{"VP8 has another payload type", "sfu/codecs.go", `{PT: 96, Name: "VP8"`, `{PT: 97, Name: "VP8"`, "codec/payload-types"},
	{"a forced close lets the media go on", "emulator/session/close.go", "\t\ts.retireMids(plan.open)\n\t\ts.currentPeer().CloseMids(plan.open...)\n", "\t\ts.retireMids(plan.open)\n", "close/forced"},

	// Media.
	{"video is not forwarded", "sfu/subscription.go", "\tif b == nil || a == nil {\n\t\treturn\n\t}\n\tsub.peer.outMu.Lock()\n\tdefer sub.peer.outMu.Unlock()\n\tfirst, fresh",
		"\tif b == nil || a == nil || sub.kind == KindVideo {\n\t\treturn\n\t}\n\tsub.peer.outMu.Lock()\n\tdefer sub.peer.outMu.Unlock()\n\tfirst, fresh", "pull/several-subscribers"},
	{"the layer never switches", "sfu/subscription.go", "\tcase st != sub.target:\n", "\tcase st != sub.target || sub.on != nil:\n", "simulcast/switch"},
	{"pulled tracks do not share the bandwidth", "sfu/rtcp.go", "\tif n := p.videos.Load(); n > 1 {\n", "\tif n := p.videos.Load(); n > 1 && fixed != 0 {\n", "simulcast/bandwidth-shared"},
	{"ridNotAvailable makes no difference", "sfu/internal/layers/layers.go", "if !s.want.FallOnMissing {", "if !s.want.FallOnMissing || true {", "simulcast/missing-fallback"},
	{"publishers are not asked for key frames", "sfu/publication.go", "\tif st.keyFrame == nil {\n\t\treturn\n\t}\n\tnow := time.Now()\n\tst.wantKeyFrame(now)", "\tif st.keyFrame == nil || publisher != nil {\n\t\treturn\n\t}\n\tnow := time.Now()\n\tst.wantKeyFrame(now)", "media/late-join"},
	{"timestamps jump where the source changes", "sfu/subscription.go", "elapsed = uint32(now.Sub(sub.lastSent).Seconds() * float64(st.clock))", "elapsed = 1 << 30", "update/source"},
	{"a NACK is not answered", "sfu/subscription.go", "st, source, shift, ok := sub.numbers.Trace(seq)\n\t\tif !ok || st.cache == nil {", "st, source, shift, ok := sub.numbers.Trace(seq)\n\t\tif !ok || st.cache != nil {", "repair/nack-rtx"},
	{"a NACK is passed on to the publisher as it stands", "sfu/subscription.go", "\tfor _, seq := range seqs {\n\t\tst, source, shift, ok := sub.numbers.Trace(seq)\n",
		"\tfor _, seq := range seqs {\n\t\tst, source, shift, ok := sub.numbers.Trace(seq)\n\t\tif pub := st.section.publication.Load(); ok && pub != nil {\n\t\t\t_ = pub.peer.current.Load().sendRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: st.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{seq})}})\n\t\t}\n",
		"repair/nack-rtx"},

	// Data channels.
	{"waitForAck is ignored", "sfu/datachannel.go", "gated: options.WaitForAck}", "gated: false}", "delivery/ack"},
	{"the acknowledgement of waitForAck reaches the publisher", "sfu/datachannel.go", "\tif !sub.open() {\n\t\tsub.pub.reply(sub, m)\n\t}", "\tsub.open()\n\tsub.pub.reply(sub, m)", "delivery/ack-and-reply"},
	{"every subscriber may reply once one may", "sfu/datachannel.go", "case pub.holder.Load() != from:", "case pub.holder.Load() == nil:", "delivery/reply"},
	{"a message of 65537 bytes is delivered", "sfu/datachannel.go", "\tif len(m.data) > pub.longest {\n", "\tif len(m.data) > pub.longest+1 {\n", "delivery/sizes"},
	{"ids of data channels count from 2", "sfu/data.go", "own: own, firstID: 1,", "own: own, firstID: 2,", "channels/ids"},
	{"GET lists channels by other ids", "emulator/session/channels.go", "DataChannelName: c.name, ID: c.id, Status", "DataChannelName: c.name, ID: c.id + 1, Status", "channels/initializing"},
	{"the client's channel is not acknowledged", "sfu/dcep.go", "_, _ = stream.WriteSCTP([]byte{dcepAck}, sctp.PayloadTypeWebRTCDCEP)", "_ = dcepAck", "establish/answered"},

	// Adapters.
	{"a lost egress socket is not made anew", "emulator/adapter/egress.go", "if window <= 0 {", "if window >= 0 {", "adapters/reconnect"},
	{"what was said in a gap is lost", "emulator/adapter/backlog.go", "audioBacklog = 100", "audioBacklog = 1", "adapters/gap-audio"},
	{"left and right are exchanged", "emulator/adapter/opus.go", "LittleEndian.Uint16(b[2*i:])", "LittleEndian.Uint16(b[2*(i^1):])", "adapters/pcm-in"},
	{"egress cuts its frames in two", "emulator/adapter/voice.go", "\t\ts.emit(next.ts, n, emit)\n\t}\n",
		"\t\ts.emit(next.ts, n/2, emit)\n\t\tcopy(s.pcm, s.pcm[n:])\n\t\ts.emit(next.ts+uint32(n/2), n/2, emit)\n\t}\n", "adapters/pcm-out"},
	{"a timestamp of 0 is written out", "emulator/adapter/packet.go", "if p.Timestamp != 0 {", "if p.Timestamp != 0 || p.SequenceNumber != 0 {", "adapters/zeros"},
}
