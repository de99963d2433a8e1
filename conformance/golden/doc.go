// Package golden writes what a target did in a run of the conformance suite as a transcript that two runs, two targets and two days
// can be compared by, and says in words where two transcripts differ.
//
// # Transcripts
//
// What is of one run alone is replaced by placeholders, numbered for each case in the order in which they appear: ids of sessions,
// apps, adapters and keys, addresses with their ports, times of day, ICE credentials, fingerprints, SSRCs, stream ids and random
// names. Secrets are masked before, in package conformance. How long an answer took is a class (conformance.TimeClass). Of a poll
// the last try is kept, of calls repeated in a row each different answer once. Two runs against one target give one and the same file.
//
// Mids, names that the suite chose, statuses, codes and texts, payload types and every other line of the SFU's SDPs stay. The suite's
// own SDPs are left out: they say nothing about the target. So are calls to an emulator's control zone, and its explanations but for
// the ids of the rules that they name.
//
// # Comparison
//
// A case is compared by its outcome and, call by call, by status, body, SDP, header and class of time; one that observes (see
// conformance.Case) by its observations. Cases that do not apply to one of the targets cannot be compared, which is said and is no
// difference.
package golden
