package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/golden"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/openapi"
)

// driftCommand compares the emulator with a record of the real service.
type driftCommand struct {
	conformanceCommand
	From string `required:"" placeholder:"FILE" help:"What callsemu conformance --record wrote of the target to be like."`
}

// Run prints what differs, grouped, the most important first, and where the emulator decides it.
func (c *driftCommand) Run(ctx context.Context, out streams) error {
	record, err := readRecord("--from", c.From)
	if err != nil {
		return err
	}
	result, err := c.run(ctx, out)
	if err != nil {
		return err
	}
	if !result.Emulator {
		return errors.New("drift: the target is no emulator, so nothing can be said about where it decides; use callsemu conformance --compare")
	}
	comparison := golden.Compare(record, golden.Of(result), c.chosen())
	schema, err := openapi.Load()
	if err != nil {
		return err
	}
	if err := writeDrift(out.stdout, comparison, schema); err != nil {
		return err
	}
	for _, line := range comparison.NotCompared() {
		_, _ = fmt.Fprintln(out.stderr, line)
	}
	return verdict(out, comparison)
}

// writeDrift writes nothing when nothing differs.
func writeDrift(w io.Writer, c golden.Comparison, schema *openapi.Document) error {
	groups := c.Groups()
	if len(groups) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the emulator differs from the record in %s, in %s; %s compared, %d not\n", conformance.Counted(len(groups), "way"),
		conformance.Counted(len(c.Differences), "place"), conformance.Counted(c.Compared, "case"), len(c.Incomparable))
	for i, g := range groups {
		more := ""
		if n := len(g.Places); n > 1 {
			more = fmt.Sprintf(" and %d more", n-1)
		}
		if g.Call == "" {
			fmt.Fprintf(&b, "\n%d. %s%s\n", i+1, g.What, more)
		} else {
			fmt.Fprintf(&b, "\n%d. %s\n   call:      %s%s%s\n", i+1, g.What, g.Call, operation(schema, g.Call), more)
		}
		fmt.Fprintf(&b, "   record:    %s\n   emulator:  %s\n", orNothing(g.Was), orNothing(g.Is))
		fmt.Fprintf(&b, "   contract:  %s (%s), case %s%s\n", g.Section, g.Mark, g.ID, others(g))
		for _, where := range decided(g) {
			fmt.Fprintf(&b, "   decided:   %s\n", where)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return strings.ReplaceAll(s, "\n", "\n              ")
}

// operation is the operationId of a call, in brackets.
func operation(schema *openapi.Document, called string) string {
	method, url, _ := strings.Cut(called, " ")
	path, _, _ := strings.Cut(url, "?")
	if id := conformance.OperationID(schema, method, strings.TrimPrefix(path, "/v1")); id != "" {
		return " (" + id + ")"
	}
	if id := conformance.OperationID(schema, method, path); id != "" {
		return " (" + id + ")"
	}
	return ""
}

// mostNamed bounds how many cases a group names.
const mostNamed = 6

func others(g golden.Group) string {
	rest := slices.DeleteFunc(slices.Clone(g.Cases), func(id string) bool { return id == g.ID })
	switch {
	case len(rest) == 0:
		return ""
	case len(rest) > mostNamed:
		return fmt.Sprintf(" and %d more: %s, ...", len(rest), strings.Join(rest[:mostNamed], ", "))
	}
	return " and " + strings.Join(rest, ", ")
}

// decided says where in the emulator a difference comes from, as far as the tables tell: the rule that the answer itself named, the rows
// of the catalogue that have its error, or the timeouts of its length. Nothing where they do not.
func decided(g golden.Group) (where []string) {
	if g.Now != nil {
		for _, rule := range g.Now.Rules {
			where = append(where, "rule "+rule+", which the answer names"+rowsOf(func(r wire.Row) bool { return r.Rule == rule }))
		}
	}
	for _, e := range errorsOf(g) {
		rows := rowsOf(func(r wire.Row) bool {
			return r.Code == e.code && (r.Status == e.status || e.item) && textFits(r.Text, e.text)
		})
		if rows != "" && len(where) == 0 {
			where = append(where, "a row of the error catalogue, by its code and text"+rows)
		}
		if rows := suiteRows(e); rows != "" {
			where = append(where, "the suite's "+rows)
		}
	}
	if g.Kind == golden.Time {
		where = append(where, timeouts(g.Was, g.Is)...)
	}
	return where
}

// wireError is an error that the emulator answered.
type wireError struct {
	code, text string
	status     int
	item       bool // or observed: of any status
}

// observedError is the value of an observation that is an error.
var observedError = regexp.MustCompile(`^([a-z0-9_]+) (".*")$`)

// errorsOf are the error of the emulator's answer and those of its items.
func errorsOf(g golden.Group) (list []wireError) {
	if value, err := strconv.Unquote(g.Is); err == nil && g.Kind == golden.Seen {
		if found := observedError.FindStringSubmatch(value); found != nil {
			text, _ := strconv.Unquote(found[2])
			return []wireError{{code: found[1], text: text, item: true}}
		}
	}
	if g.Now == nil || g.Kind != golden.Status && g.Kind != golden.Body {
		return nil
	}
	body, _ := g.Now.Body.(map[string]any)
	read := func(object map[string]any, item bool) {
		if code, is := object["errorCode"].(string); is {
			text, _ := object["errorDescription"].(string)
			e := wireError{code, text, g.Now.Status, item}
			if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	read(body, false)
	for _, name := range []string{"tracks", "dataChannels"} {
		items, _ := body[name].([]any)
		for i, element := range items {
			object, _ := element.(map[string]any)
			if object != nil && strings.Contains(g.What, fmt.Sprintf("%s[%d]", name, i)) {
				read(object, true)
			}
		}
	}
	return list
}

// rowsOf names the rows of the catalogue.
func rowsOf(fits func(wire.Row) bool) string {
	var rows []string
	for _, r := range wire.Catalogue() {
		if fits(r) {
			rows = append(rows, fmt.Sprintf("%s %s %q (%s)", r.Rule, r.Code, r.Text, r.Source))
		}
	}
	if len(rows) == 0 {
		return ""
	}
	return "; emulator/wire/catalogue.go: " + strings.Join(rows, ", or ")
}

// textFits compares a text with one of the catalogue, in which numbers and paths are blanks.
func textFits(format, text string) bool {
	before, after, blank := strings.Cut(format, "%")
	if !blank {
		return format == text
	}
	return strings.HasPrefix(text, before) && strings.HasSuffix(text, after[1:])
}

// suiteRows names the rows of the suite that have the error.
func suiteRows(e wireError) string {
	var ids []string
	for _, r := range conformance.Rows() {
		if r.Code == e.code && (r.Status == e.status && !e.item || r.Status == 0 && e.item) && (r.Text == "" || r.Text == e.text) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return "row " + strings.Join(ids, ", or ")
}

// timeouts are the rules whose default is of one of these classes. Many are of the shortest.
func timeouts(classes ...string) (where []string) {
	for _, r := range session.RuleTable() {
		d, err := time.ParseDuration(r.Default)
		class := conformance.TimeClass(d)
		if err == nil && class != conformance.TimeClass(0) && slices.Contains(classes, class) {
			where = append(where, fmt.Sprintf("perhaps --set %s (default %s): %s (%s)", r.Name, r.Default, r.Help, r.Source))
		}
	}
	return where
}
