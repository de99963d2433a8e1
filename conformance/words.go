package conformance

import "fmt"

// Counted is a number with a regular noun: "1 case", "2 cases".
func Counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
