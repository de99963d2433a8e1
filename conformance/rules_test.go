package conformance_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
)

// rule is one row of a table or one point of a list of docs/contract.md.
type rule struct {
	section string
	words   string // its first words
}

var (
	headings  = regexp.MustCompile(`^#{2,3} (\d+(?:\.\d+)?)`)
	ruledOff  = regexp.MustCompile(`^\|[-| :]+\|$`)
	points    = regexp.MustCompile(`^(\* |\d+\. )`)
	provable  = regexp.MustCompile(`^([1-9]|[1-9]\.\d+|0\.3)$`)
	unpointed = []string{"1.0", "1.2", "1.15", "2.1"} // an order and catalogues, which other tests hold the cases to, and words
)

// contract gives the sections of docs/contract.md and the rules of those that can be observed from outside.
func contract(t *testing.T) (sections []string, rules []rule) {
	text, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	section, fenced, inTable := "", false, false
	for line := range strings.SplitSeq(string(text), "\n") {
		heading := headings.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced:
		case heading != nil:
			section, inTable = heading[1], false
			sections = append(sections, section)
		case !provable.MatchString(section) || slices.Contains(unpointed, section):
		case ruledOff.MatchString(line):
			inTable = true
		case strings.HasPrefix(line, "|") && inTable:
			cells := strings.Split(strings.Trim(line, "|"), "|")
			first := strings.TrimSpace(cells[0])
			if len(first) < 3 {
				first += " | " + strings.TrimSpace(cells[1])
			}
			rules = append(rules, rule{section, firstWords(first)})
		case points.MatchString(line):
			inTable = false
			rules = append(rules, rule{section, firstWords(strings.TrimLeft(line, "* "))})
		default:
			inTable = inTable && strings.HasPrefix(line, "|")
		}
	}
	return sections, rules
}

func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), 7)], " ")
}

// TestEveryRuleHasACase compares the contract with testdata/rules.tsv, and that with the cases: a rule that the contract gets
// needs a line there.
func TestEveryRuleHasACase(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, c := range conformance.Cases() {
		ids[c.ID] = true
	}
	listed := map[rule]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			t.Fatalf("not three fields: %q", line)
		}
		r := rule{fields[0], fields[1]}
		listed[r]++
		if strings.HasPrefix(fields[2], "- ") {
			continue
		}
		cells := strings.Split(fields[2], ";")
		if r.section == "2.2" && len(cells) != 1 && len(cells) != 5 {
			t.Errorf("2.2 %s: %d cells, the table has 5 columns", r.words, len(cells))
		}
		for _, id := range strings.FieldsFunc(fields[2], func(c rune) bool { return c == ' ' || c == ';' }) {
			if !ids[id] {
				t.Errorf("%s %s: there is no case %s", r.section, r.words, id)
			}
		}
	}
	_, rules := contract(t)
	if len(rules) < 250 {
		t.Fatalf("only %d rules are found in the contract", len(rules))
	}
	for _, r := range rules {
		listed[r]--
		if listed[r] < 0 {
			t.Errorf("testdata/rules.tsv has no line for %s %q", r.section, r.words)
		}
	}
	for r, n := range listed {
		if n > 0 {
			t.Errorf("the contract has no %s %q", r.section, r.words)
		}
	}
}

// sectionParts are the forms in which a case names its section: 1.3, 1.3 G, 11 flow 9, 10 Q8, 3.5 ridNotAvailable none.
var sectionParts = regexp.MustCompile(`^(\d+(?:\.\d+)?)(?: (flow \d+|Q\d+|[A-H]|priorityOrdering \w+|ridNotAvailable \w+))?$`)

// TestEverySectionExists holds the sections that cases name against the contract, and the sections of the contract against
// the cases.
func TestEverySectionExists(t *testing.T) {
	text, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	sections, _ := contract(t)
	named := map[string]bool{}
	for _, c := range conformance.Cases() {
		for part := range strings.SplitSeq(c.Section, ", ") {
			if regexp.MustCompile(`^[A-H]$`).MatchString(part) {
				continue // one more row of the section before
			}
			form := sectionParts.FindStringSubmatch(part)
			if form == nil || !slices.Contains(sections, form[1]) {
				t.Errorf("case %s: the contract has no section %q", c.ID, part)
				continue
			}
			named[form[1]] = true
			kind, number, _ := strings.Cut(form[2], " ")
			switch {
			case kind == "flow":
				named["flow "+number] = true
				if !strings.Contains(string(text), "\n"+number+". **") {
					t.Errorf("case %s: the contract has no flow %s", c.ID, number)
				}
			case strings.HasPrefix(kind, "Q"):
				if !strings.Contains(string(text), "\n| "+kind+" |") {
					t.Errorf("case %s: the contract has no question %s", c.ID, kind)
				}
			}
		}
	}
	for _, section := range sections {
		if regexp.MustCompile(`^[1-9]\.\d+$`).MatchString(section) && section != "1.13" && section != "2.1" && !named[section] {
			t.Errorf("no case is about section %s", section)
		}
	}
	for _, flow := range regexp.MustCompile(`(?m)^(\d+)\. \*\*`).FindAllStringSubmatch(string(text), -1) {
		if !named["flow "+flow[1]] {
			t.Errorf("no case is about flow %s of section 11", flow[1])
		}
	}
}
