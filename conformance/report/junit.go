package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"` // seconds
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class      string           `xml:"classname,attr"`
	Name       string           `xml:"name,attr"`
	Time       string           `xml:"time,attr"`
	Properties *junitProperties `xml:"properties"`
	Failure    *junitText       `xml:"failure"`
	Skipped    *junitText       `xml:"skipped"`
	Log        string           `xml:"system-out,omitempty"`
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the XML that CI systems read: a suite for each area. What does not apply or was cut off is skipped; what was
// observed has passed, as JUnit knows nothing else, and its observations are properties.
func JUnit(w io.Writer, r conformance.Report) error {
	all := junitSuites{Name: "conformance of " + target(r), Time: seconds(r.Elapsed)}
	for _, a := range areas(r) {
		suite := junitSuite{Name: a.Name, Tests: len(a.Outcomes), Failures: a.Failed, Skipped: a.NotApplicable + a.Unfinished,
			Timestamp: r.Begun.UTC().Format("2006-01-02T15:04:05")}
		for _, o := range a.Outcomes {
			suite.Cases = append(suite.Cases, junitOf(o))
		}
		all.Tests, all.Failures, all.Skipped = all.Tests+suite.Tests, all.Failures+suite.Failures, all.Skipped+suite.Skipped
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(o conformance.Outcome) junitCase {
	c := junitCase{Class: strings.SplitN(o.Case.ID, "/", 2)[0], Name: o.Case.ID, Time: seconds(o.Result.Elapsed)}
	switch o.Status {
	case conformance.Passed:
	case conformance.Observed:
		c.Properties = &junitProperties{}
		for _, seen := range o.Result.Observations {
			c.Properties.List = append(c.Properties.List, junitProperty(seen))
		}
	case conformance.Failed:
		c.Failure = &junitText{Message: fmt.Sprintf("%s [contract %s, %s]", o.Case.Sentence, o.Case.Section, o.Case.Mark),
			Text: strings.Join(o.Result.Failures, "\n")}
		for _, failure := range different(o.Result) {
			for _, why := range failure.Explained {
				c.Failure.Text += "\nexplained: " + why
			}
		}
		c.Log = strings.Join(o.Result.Log(), "\n")
	case conformance.NotApplicable:
		c.Skipped = &junitText{Message: lacks(o)}
	default:
		c.Skipped = &junitText{Message: "not finished when the run was ended"}
	}
	return c
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
