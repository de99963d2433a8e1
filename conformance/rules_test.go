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

// stateTable is the section whose rows are one operation in each of stateColumns states: there every cell is a sentence.
const (
	stateTable   = "2.2"
	stateColumns = 5
)

// contract gives the sections of docs/contract.md, the rules of those that can be observed from outside, and which of these are
// rows of a table.
func contract(t *testing.T) (sections []string, rules []rule, rows map[rule]bool) {
	rows = map[rule]bool{}
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
			r := rule{section, firstWords(first)}
			rules, rows[r] = append(rules, r), true
		case points.MatchString(line):
			inTable = false
			rules = append(rules, rule{section, firstWords(strings.TrimLeft(line, "* "))})
		default:
			inTable = inTable && strings.HasPrefix(line, "|")
		}
	}
	return sections, rules, rows
}

func firstWords(text string) string {
	words := strings.Fields(text)
	return strings.Join(words[:min(len(words), 7)], " ")
}

// codeCell is a code in the first cell of a row of contract 1.2, which has several at times.
var codeCell = regexp.MustCompile("`([a-z][a-z_]*_[a-z_]*|unauthorized)`")

// TestTheCatalogueIsTheContracts: contract 1.2 and 8 are where somebody looks up a code, so it stands there, and each that stands in 1.2
// has a row.
func TestTheCatalogueIsTheContracts(t *testing.T) {
	text, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	section := func(begin, end string) string {
		_, rest, _ := strings.Cut(string(text), "\n"+begin+" ")
		found, _, _ := strings.Cut(rest, "\n"+end+" ")
		return found
	}
	catalogue, account := section("### 1.2", "### 1.3"), section("## 8.", "## 9.")
	known := map[string]bool{}
	for _, row := range conformance.Rows() {
		known[row.Code] = true
		switch stands := "`" + row.Code + "`"; {
		case row.Code == "":
		case strings.HasSuffix(row.ID, " account"):
			if !regexp.MustCompile(`\b` + row.Code + `\b`).MatchString(account) {
				t.Errorf("section 8 of docs/contract.md lacks the code of the row %q of conformance/catalogue.go", row.ID)
			}
		case !strings.Contains(catalogue, stands):
			t.Errorf("the table of section 1.2 of docs/contract.md lacks %s, which the row %q of conformance/catalogue.go has", stands, row.ID)
		}
	}
	listed := 0
	for line := range strings.Lines(catalogue) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, found := range codeCell.FindAllStringSubmatch(cells[1], -1) {
			if listed++; !known[found[1]] {
				t.Errorf("no row of conformance/catalogue.go has the code %q of section 1.2 of docs/contract.md", found[1])
			}
		}
	}
	if listed < 20 {
		t.Errorf("only %d codes are found in section 1.2", listed)
	}
}

// TestEveryRuleHasACase compares the contract with testdata/rules.tsv, and that with the cases: a rule that the contract gets
// needs a line there, and the line, or each of its cells, a case that says of itself that it is about the rule's section.
func TestEveryRuleHasACase(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	about := map[string][]string{} // id of a case: the sections that it claims
	for _, c := range conformance.Cases() {
		for _, part := range claims(c) {
			about[c.ID] = append(about[c.ID], part.section)
		}
	}
	_, rules, rows := contract(t)
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
		cells, want := strings.Split(fields[2], ";"), 1
		if r.section == stateTable && rows[r] {
			want = stateColumns
		}
		if len(cells) != want {
			t.Errorf("%s %s: %d cells, want %d", r.section, r.words, len(cells), want)
		}
		for _, cell := range cells {
			ids := strings.Fields(cell)
			for _, id := range ids {
				if about[id] == nil {
					t.Errorf("%s %s: there is no case %s", r.section, r.words, id)
				}
			}
			if !slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(about[id], r.section) }) {
				t.Errorf("%s %s: none of %q claims section %s", r.section, r.words, ids, r.section)
			}
		}
	}
	if len(rules) < 250 || len(rows) < 100 {
		t.Fatalf("only %d rules, %d of them rows, are found in the contract", len(rules), len(rows))
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

// oneRow is one more row of the section before: the H of 1.3 D, G, H.
var oneRow = regexp.MustCompile(`^[A-H]$`)

// claim is one part of Case.Section.
type claim struct {
	section string // as the contract numbers it; what the case says where it has no such form
	of      string // flow 9, Q8, G: what of the section; empty for all
}

// claims are the parts of a case's Section.
func claims(c conformance.Case) (parts []claim) {
	for part := range strings.SplitSeq(c.Section, ", ") {
		if oneRow.MatchString(part) && len(parts) > 0 {
			parts = append(parts, claim{parts[len(parts)-1].section, part})
			continue
		}
		one := claim{section: part}
		if form := sectionParts.FindStringSubmatch(part); form != nil {
			one = claim{form[1], form[2]}
		}
		parts = append(parts, one)
	}
	return parts
}

// TestEverySectionExists holds the sections that cases name against the contract, and the sections of the contract against
// the cases.
func TestEverySectionExists(t *testing.T) {
	text, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	sections, _, _ := contract(t)
	named := map[string]bool{}
	for _, c := range conformance.Cases() {
		for _, part := range claims(c) {
			if !slices.Contains(sections, part.section) {
				t.Errorf("case %s: the contract has no section %q", c.ID, part.section)
				continue
			}
			named[part.section] = true
			kind, number, _ := strings.Cut(part.of, " ")
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
