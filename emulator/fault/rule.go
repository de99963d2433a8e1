package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

// When says on which side of its effect a call fails.
type When string

// Values of When.
const (
	Before When = "before" // nothing has changed
	After  When = "after"  // the effect has taken place, but the answer does not tell
	Now    When = "now"    // not a call at all: what is live when the rule is added
)

// Rule says whom a fault hits, how often, and what happens then.
type Rule struct {
	App       string // that of the path; empty means every one
	Session   string // that of the path, or the new one; empty means every one
	Key       string // TURN key of the path; empty means every one
	Account   string // that of the path; empty means every one
	Operation string // one of Operations; empty means every one

	Nth         int     // the first matching call that is hit, from 1; 0 is 1
	Count       int     // how many calls are hit; 0 is all that follow
	Probability float64 // that a call is hit which could be; 0 is 1
	Seed        uint64  // of the draws; 0 picks one

	Code    string        // of the catalogue: what the call answers, or one item of it
	Status  int           // chooses where the catalogue has the code with several; free for item codes at top level
	Subcode string        // one of wire.Subcodes, beside a Code that has them
	Item    *int          // index of the item that fails, instead of the whole call
	When    When          // on which side of the effect code and delay come; empty is Before
	Delay   time.Duration // how long the call is held up, on the emulator's clock
	Silent  time.Duration // how long the tracks that the call publishes, or that are live Now, are silent, on the emulator's clock
	Track   string        // name of the tracks that Silent means; empty means every one
}

// The operations of the API, by their ids in our OpenAPI file.
const (
	newTracks   = "newTracks"
	newChannels = "newDataChannels"
)

// Operations are the names by which rules choose calls: every call of the API that can succeed.
var Operations = slices.Concat(sessionOperations, adapterOperations, credentialOperations, accountOperations)

var (
	// sessionOperations are on a session, and so on an app.
	sessionOperations = []string{"newSession", "getSession", newTracks, "updateTracks", "closeTracks", "renegotiate",
		"establishDataChannels", newChannels, "updateDataChannels", "closeDataChannels"}
	// adapterOperations are on an app alone.
	adapterOperations = []string{"newAdapters", "closeAdapters"}
	// credentialOperations issue and end TURN credentials (contract 7.3).
	credentialOperations = []string{"generateIceServers", "generateCredentials", "revokeCredential"}
	// accountOperations are those of the account API (contract 8), which has codes of its own.
	accountOperations = slices.Concat([]string{"listApps", "createApp"}, appOperations, []string{"listTurnKeys", "createTurnKey"}, keyOperations)
	// appOperations are those that name an app.
	appOperations = []string{"getApp", "updateApp", "deleteApp"}
	// keyOperations are those that name a TURN key.
	keyOperations = []string{"getTurnKey", "updateTurnKey", "deleteTurnKey"}
)

// named is what the path of a call can name, the field of a rule that chooses by it, and the operations that have it.
var named = []struct {
	what  string
	field string
	of    func(Rule) string
	by    []string
}{
	{"app", "app", func(r Rule) string { return r.App }, slices.Concat(sessionOperations, adapterOperations, appOperations)},
	{"session", "session", func(r Rule) string { return r.Session }, sessionOperations},
	{"TURN key", "key", func(r Rule) string { return r.Key }, slices.Concat(credentialOperations, keyOperations)},
	{"account", "account", func(r Rule) string { return r.Account }, accountOperations},
}

// itemOperations have items that can fail one by one.
var itemOperations = []string{newTracks, "updateTracks", "closeTracks", newChannels, "updateDataChannels", "closeDataChannels",
	"newAdapters", "closeAdapters"}

// check returns the rule with its defaults, or why it is not one.
func (r Rule) check() (Rule, error) {
	r.When = orDefault(r.When, Before)
	r.Nth = orDefault(r.Nth, 1)
	r.Probability = orDefault(r.Probability, 1)
	if r.Silent > 0 && r.When != Now {
		r.Operation = orDefault(r.Operation, newTracks)
	}
	if err := r.checkWhom(); err != nil {
		return r, err
	}
	return r, r.checkWhat()
}

// checkWhom looks at the fields that choose calls.
func (r Rule) checkWhom() error {
	if r.Operation != "" && !slices.Contains(Operations, r.Operation) {
		return fmt.Errorf("no operation is called %q; they are %s", r.Operation, strings.Join(Operations, ", "))
	}
	if _, err := r.reach(); err != nil {
		return err
	}
	switch {
	case r.Nth < 1:
		return fmt.Errorf("nth is %d; calls are counted from 1", r.Nth)
	case r.Count < 0:
		return fmt.Errorf("count is %d; say how many calls, or 0 for all", r.Count)
	case r.Probability < 0 || r.Probability > 1:
		return fmt.Errorf("probability is %v; it lies between 0 and 1", r.Probability)
	}
	return nil
}

// reach gives the operations whose calls the rule can hit: those that name all that it chooses by. An error says which of it none names.
func (r Rule) reach() (operations []string, err error) {
	operations = Operations
	if r.Operation != "" {
		operations = []string{r.Operation}
	}
	for _, n := range named {
		if n.of(r) == "" {
			continue
		}
		operations = common(operations, n.by)
		if len(operations) == 0 {
			return nil, fmt.Errorf("%s names no %s; leave %s out", r.whose(n.field), n.what, n.field)
		}
	}
	return operations, nil
}

// whose is the operation in words: its name, or without one what its calls name, up to a field.
func (r Rule) whose(field string) string {
	var fields []string
	for _, n := range named {
		if n.field == field {
			break
		}
		if n.of(r) != "" {
			fields = append(fields, n.field)
		}
	}
	return orDefault(r.Operation, "a call with "+strings.Join(fields, " and "))
}

func common(a, b []string) (both []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// checkWhat looks at the fields that say what happens.
func (r Rule) checkWhat() error {
	switch {
	case r.When != Before && r.When != After && r.When != Now:
		return fmt.Errorf("when is %q; use before or after, or now with silent", r.When)
	case r.Silent < 0 || r.Delay < 0:
		return errors.New("a duration is negative")
	case r.Track != "" && r.Silent == 0:
		return errors.New("track is about silent; name items by their index")
	case r.When == Now:
		return r.checkNow()
	case r.Silent > 0 && r.Operation != newTracks:
		return fmt.Errorf("silent is about tracks that are published; leave operation out, or say %s", newTracks)
	case r.Code == "" && (r.Item != nil || r.Status != 0 || r.Subcode != ""):
		return errors.New("item, status and subcode need a code")
	case r.Code == "" && r.Delay == 0 && r.Silent == 0:
		return errors.New("nothing would happen; give code, delay or silent")
	case r.Code == "":
		return nil
	case r.Silent > 0:
		return errors.New("a rule has either code or silent; add two rules")
	case r.Item != nil && *r.Item < 0:
		return fmt.Errorf("item is %d; items are counted from 0", *r.Item)
	}
	if err := r.checkItem(); err != nil {
		return err
	}
	if err := r.checkSubcode(); err != nil {
		return err
	}
	_, err := r.row()
	return err
}

func (r Rule) checkItem() error {
	operations, err := r.reach()
	if r.Item == nil || err != nil || len(common(operations, itemOperations)) > 0 {
		return err
	}
	return fmt.Errorf("%s has no items; those that have are %s", r.whose(""), strings.Join(itemOperations, ", "))
}

func (r Rule) checkSubcode() error {
	switch {
	case r.Subcode == "":
		return nil
	case !wire.HasSubcodes(r.Code):
		return fmt.Errorf("%s has no subcodes; leave subcode out", r.Code)
	case r.Item != nil:
		return errors.New("an item has no subcode; leave it out")
	case !slices.Contains(wire.Subcodes, r.Subcode):
		return fmt.Errorf("no subcode is called %q; they are %s", r.Subcode, strings.Join(wire.Subcodes, ", "))
	}
	return nil
}

// checkNow looks at a rule for what is live: it takes no calls, so that nothing of calls belongs to it.
func (r Rule) checkNow() error {
	if r.Silent == 0 || r.Code != "" || r.Item != nil || r.Status != 0 || r.Subcode != "" || r.Delay != 0 || r.Operation != "" || r.Key != "" || r.Account != "" ||
		r.Nth != 1 || r.Count != 0 || r.Probability != 1 {
		return errors.New("when now silences tracks that are live; it takes silent, and app, session and track to choose them")
	}
	return nil
}

// row finds what to answer: the code's row, chosen by status where there are several. Rows whose text has blanks are
// not taken where another has the same code.
func (r Rule) row() (wire.Row, error) {
	rows := r.rows()
	if len(rows) == 0 {
		return wire.Row{}, fmt.Errorf("no error code is called %q; they are %s", r.Code, strings.Join(r.codes(), ", "))
	}
	statuses := statusesOf(rows)
	switch {
	case r.Item != nil && r.Status != 0:
		return wire.Row{}, errors.New("an item has no status; leave it out")
	case r.Item != nil:
		return rows[0], nil
	case len(statuses) == 0: // items alone have it
		if r.Status < 400 || r.Status > 599 {
			return wire.Row{}, fmt.Errorf("%s is an item's code; name an item, or give a status from 400 to 599 for the whole call", r.Code)
		}
		rows[0].Status = r.Status
		return rows[0], nil
	case r.Status == 0 && len(statuses) > 1:
		return wire.Row{}, fmt.Errorf("%s has several statuses; choose one of %s by status", r.Code, join(statuses))
	case r.Status != 0 && !slices.Contains(statuses, r.Status):
		return wire.Row{}, fmt.Errorf("%s does not come with status %d, but with %s", r.Code, r.Status, join(statuses))
	}
	want := orDefault(r.Status, statuses[0])
	i := slices.IndexFunc(rows, func(row wire.Row) bool { return row.Status == want })
	return rows[i], nil
}

// answers reports whether calls that the rule hits can be answered with a row. The account API's own are for its operations, and of
// these not those about paths and methods that no operation has, whose texts need them.
func (r Rule) answers(row wire.Row) bool {
	return !row.OfAccountAPI() || slices.Contains(accountOperations, r.Operation) && blanks(row) == 0
}

func (r Rule) rows() []wire.Row {
	var rows []wire.Row
	for _, row := range wire.Catalogue() {
		if row.Code == r.Code && r.answers(row) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b wire.Row) int { return blanks(a) - blanks(b) })
	return rows
}

func blanks(row wire.Row) int { return strings.Count(row.Text, "%") }

func statusesOf(rows []wire.Row) []int {
	var list []int
	for _, row := range rows {
		if row.Status != 0 && !slices.Contains(list, row.Status) {
			list = append(list, row.Status)
		}
	}
	return list
}

func (r Rule) codes() []string {
	var list []string
	for _, row := range wire.Catalogue() {
		if r.answers(row) && !slices.Contains(list, row.Code) {
			list = append(list, row.Code)
		}
	}
	return list
}

func join(list []int) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, ", ")
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
