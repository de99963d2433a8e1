package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// fieldCases are one case for each row of Fields: the row's faults, one after another, in an otherwise good request.
func fieldCases() (cases []Case) {
	for _, row := range fieldRows {
		base := bases[row.base]
		c := Case{
			ID: "field/" + row.Operation + "/" + row.Path, Sentence: row.sentence(), Section: "1.15, " + base.section, Mark: row.mark,
			Needs: base.needs, Operations: []string{row.Operation}, Codes: row.codes(),
			Run: func(ctx context.Context, t *T) { t.tryField(ctx, row, base) },
		}
		if c.Mark == "" {
			c.Mark = Inferred
		}
		if slices.ContainsFunc(cases, func(other Case) bool { return other.ID == c.ID }) {
			c.ID += " (" + row.base + ")"
		}
		cases = append(cases, c)
	}
	return cases
}

// trial is one fault of a field.
type trial struct {
	name    string
	outcome string
	remove  bool
	values  []any
}

func (r FieldRow) trials(good any) []trial {
	list := []trial{
		{name: "missing", outcome: r.missing, remove: true}, {name: "null", outcome: r.null, values: []any{nil}},
		{name: "of a wrong type", outcome: r.wrong, values: wrongTypes[r.Type]}, {name: "empty", outcome: r.empty, values: []any{empties[r.Type]}},
		{name: "unknown", outcome: r.unknown, values: []any{unknownOf(r.Type, good)}}, {name: "too long", outcome: r.long, values: []any{r.longer(good)}},
	}
	if r.Type == flag {
		list[3] = trial{name: "the other value", outcome: r.empty, values: []any{good != any(true)}}
	}
	return slices.DeleteFunc(list, func(t trial) bool { return t.outcome == "" })
}

var (
	wrongTypes = map[string][]any{
		str: {1, true, map[string]any{}, []any{"x"}}, flag: {"true", 1, []any{}}, number: {"1", 1.5, true},
		object: {"x", 1, []any{}}, list: {"x", 1, map[string]any{}},
	}
	empties = map[string]any{str: "", object: map[string]any{}, list: []any{}}
)

func unknownOf(kind string, good any) any {
	switch kind {
	case number:
		return -1
	case object:
		further := map[string]any{"unknown": 1}
		for name, value := range good.(map[string]any) {
			further[name] = value
		}
		return further
	}
	return "unknown"
}

// longer is a value beyond the longest, which begins like the good one: names of apps and TURN keys tell whose they are. An SDP gets more lines, a URL a longer query, a list more of the same.
func (r FieldRow) longer(good any) any {
	switch {
	case r.Type == number:
		return 172801
	case r.Type == list:
		return slices.Repeat(good.([]any), max(r.Longest, 1)+1)
	case strings.HasSuffix(r.Path, ".sdp"):
		return good.(string) + strings.Repeat("a=x-pad:0123456789abcdef\r\n", 4096)
	case r.Longest > 0:
		return good.(string) + strings.Repeat("x", r.Longest+1-len(good.(string)))
	case strings.HasSuffix(r.Path, ".endpoint"):
		return good.(string) + strings.Repeat("x", 2048)
	}
	return strings.Repeat("x", 4096)
}

func (r FieldRow) sentence() string {
	var outcomes []string
	names := map[string][]string{}
	for _, t := range r.trials(sample[r.Type]) {
		if names[t.outcome] == nil {
			outcomes = append(outcomes, t.outcome)
		}
		names[t.outcome] = append(names[t.outcome], t.name)
	}
	for i, outcome := range outcomes {
		row, failed := strings.CutPrefix(outcome, item)
		says := map[string]string{accepted: "accepted", partly: "accepted, item by item"}[outcome]
		switch {
		case failed:
			says = "the item's " + row
		case says == "":
			says = "refused as " + row
		}
		outcomes[i] = strings.Join(names[outcome], ", ") + ": " + says
	}
	return fmt.Sprintf("%s with %s %s.", r.Operation, r.Path, strings.Join(outcomes, "; "))
}

// sample are values to name trials with.
var sample = map[string]any{str: "", flag: false, number: 0, object: map[string]any{}, list: []any{nil}}

// codes are the rows that the outcomes name.
func (r FieldRow) codes() (codes []string) {
	for _, t := range r.trials(sample[r.Type]) {
		row := strings.TrimPrefix(t.outcome, item)
		if row != accepted && row != partly && !slices.Contains(codes, row) {
			codes = append(codes, row)
		}
	}
	return codes
}

// tryField tries every fault. The good request comes last: it must still be taken, so it was the fault that was refused before.
func (t *T) tryField(ctx context.Context, r FieldRow, b base) {
	next := b.prepare(ctx, t)
	good := next(nil)
	value, found := lookUp(good.body, r.Path)
	if !found {
		t.Fatalf("the good request has no %s: %s", r.Path, short(t.encode(good.body)))
	}
	for _, trial := range r.trials(value) {
		for _, value := range append([]any(nil), trial.values...) {
			good = t.tryFault(ctx, r, trial, value, good, next)
		}
		if trial.remove {
			good = t.tryFault(ctx, r, trial, nil, good, next)
		}
	}
	t.sendField(ctx, good, good.body, "", "").holds(accepted, "the good request")
}

// tryFault sends one faulty request, and gives the good one for the next trial: a new one if this was taken.
func (t *T) tryFault(ctx context.Context, r FieldRow, trial trial, value any, good request, next func(*exchange) request) request {
	if trial.name == "unknown" || trial.name == "too long" || trial.name == "the other value" {
		current, _ := lookUp(good.body, r.Path)
		for _, again := range r.trials(current) {
			if again.name == trial.name {
				value = again.values[0]
			}
		}
	}
	body := deepCopy(good.body)
	replace(body, r.Path, value, trial.remove)
	malformed, blind := "", ""
	if row, failed := strings.CutPrefix(trial.outcome, item); !failed && row != accepted && row != partly {
		malformed = r.Path + " is " + trial.name
	}
	if trial.name == "too long" && r.blind != "" {
		malformed, blind = "", r.blind
	}
	what := fmt.Sprintf("%s %s (%s)", r.Path, trial.name, short(t.encode(value)))
	a := t.sendField(ctx, good, body, malformed, blind)
	a.holds(trial.outcome, what)
	if a.status() >= http.StatusMultipleChoices {
		return good
	}
	return next(a.exchange)
}

// request is a good request.
type request struct {
	call    call
	account *accountCall // instead of call
	body    map[string]any
}

// fieldAnswer is the answer of either API.
type fieldAnswer struct {
	t        *T
	exchange *exchange
	account  *accountExchange
}

func (t *T) sendField(ctx context.Context, r request, body map[string]any, malformed, blind string) fieldAnswer {
	if r.account != nil {
		c := *r.account
		c.Body, c.Malformed, c.Blind = body, malformed, blind
		return fieldAnswer{t: t, account: t.account(ctx, c)}
	}
	c := r.call
	c.Body, c.Malformed, c.Blind = body, malformed, blind
	return fieldAnswer{t: t, exchange: t.do(ctx, c)}
}

func (a fieldAnswer) status() int {
	if a.account != nil {
		return a.account.Status
	}
	return a.exchange.Status
}

// holds compares the answer with what the row says.
func (a fieldAnswer) holds(outcome, what string) {
	t, failures := a.t, len(a.t.failures)
	row, failed := strings.CutPrefix(outcome, item)
	switch {
	case outcome == accepted || outcome == partly:
		if a.status() >= http.StatusMultipleChoices {
			t.Errorf("status %d, want success", a.status())
		}
		if outcome == accepted && a.exchange != nil {
			for _, code := range a.exchange.itemCodes() {
				if code != "" {
					t.Errorf("an item fails with %s", code)
				}
			}
		}
	case failed:
		a.exchange.wantFirstError(row)
	case a.account != nil:
		a.account.wantError(row)
	default:
		a.exchange.wantError(row).wantFields("errorCode", "errorDescription")
	}
	for i := range t.failures[failures:] {
		t.failures[failures+i] = what + " (contract 1.15): " + t.failures[failures+i]
	}
}

// itemCodes are the error codes of the items, empty for those that succeeded.
func (x *exchange) itemCodes() (codes []string) {
	for _, item := range x.Body.Tracks {
		codes = append(codes, item.ErrorCode)
	}
	for _, item := range x.Body.DataChannels {
		codes = append(codes, item.ErrorCode)
	}
	return codes
}

// wantFirstError checks the first item, of whatever kind; adapters answer 503 where all failed.
func (x *exchange) wantFirstError(row string) {
	if x.Status != http.StatusOK && x.Status != http.StatusServiceUnavailable {
		x.t.Errorf("%s: status %d, want a failed item: %s", x, x.Status, short(x.Raw))
		return
	}
	if len(x.Body.DataChannels) > 0 {
		x.wantChannelError(0, row)
		return
	}
	x.wantItemError(0, row)
}

func deepCopy(body map[string]any) (out map[string]any) {
	encoded, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(encoded, &out)
	}
	if err != nil {
		panic(err) // bases are JSON
	}
	return out
}

// steps are the parts of a path: tracks, [], mid.
func steps(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
}

// lookUp finds a place, in lists that of the first item.
func lookUp(body map[string]any, path string) (any, bool) {
	var at any = deepCopy(body)
	for _, step := range steps(path) {
		switch v := at.(type) {
		case map[string]any:
			value, found := v[step]
			if !found {
				return nil, false
			}
			at = value
		case []any:
			if step != "[]" || len(v) == 0 {
				return nil, false
			}
			at = v[0]
		default:
			return nil, false
		}
	}
	return at, true
}

// replace sets a place that is there, or removes it.
func replace(body map[string]any, path string, value any, remove bool) {
	parts := steps(path)
	var at any = body
	for _, step := range parts[:len(parts)-1] {
		if step == "[]" {
			at = at.([]any)[0]
		} else {
			at = at.(map[string]any)[step]
		}
	}
	last := parts[len(parts)-1]
	switch {
	case last == "[]":
		at.([]any)[0] = value
	case remove:
		delete(at.(map[string]any), last)
	default:
		at.(map[string]any)[last] = value
	}
}
