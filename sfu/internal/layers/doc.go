// Package layers chooses the simulcast layer that a subscriber gets (contract 3.5).
//
// Path: a Subscription asks its Selector again and again which rid to forward, and says what the layers do and how much
// bandwidth there is. The package is pure: it is given the time, and has no lock; its caller owns the Selector.
//
// It does not switch: that happens at the next key frame of the layer that it names, and is its caller's matter.
package layers
