package clock

import "time"

// maxSegments bounds a history; what lies before it is read as if the clock had run.
const maxSegments = 1024

// segment is a stretch of real time over which a clock ran, or stood still.
type segment struct {
	real  time.Time // when it began
	shown time.Time // what the clock showed then
	runs  bool
}

func (s segment) at(moment time.Time) time.Time {
	if s.runs {
		return s.shown.Add(moment.Sub(s.real))
	}
	return s.shown
}

// history is what a clock showed when, oldest first; it is never empty.
type history []segment

// at is what the clock showed at that moment of real time.
func (h history) at(moment time.Time) time.Time {
	for i := len(h) - 1; i >= 0; i-- {
		if !moment.Before(h[i].real) {
			return h[i].at(moment)
		}
	}
	return h[0].shown.Add(moment.Sub(h[0].real))
}

// then begins a segment.
func (h history) then(s segment) history {
	if len(h) >= maxSegments {
		h = append(history{}, h[maxSegments/2:]...)
	}
	return append(h, s)
}
