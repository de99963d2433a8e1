// Package adapter connects one track to one WebSocket endpoint: PCM in, PCM out, JPEG out (contract 5).
//
// # What it does not do yet
//
// Dial, and carry anything: the parts that turn media into messages and back stand alone.
package adapter
