package conformance

import (
	"time"

	"golang.org/x/time/rate"
)

// Paced is the target as a service that is called once in every so much time.
func Paced(target Target, every time.Duration) Target {
	target.pace = &pace{calls: rate.NewLimiter(rate.Every(every), 1), account: rate.NewLimiter(rate.Every(every), 1)}
	return target
}
