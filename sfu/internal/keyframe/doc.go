// Package keyframe puts the RTP packets of key frames together and takes the codec's own frames out of them. It is pure: it
// keeps no time, starts nothing and calls nobody.
package keyframe
