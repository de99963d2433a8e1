package wire

import (
	"fmt"
	"strings"
)

// Error is a failed request, or the failure of one item. As JSON it is {"errorCode","errorDescription"}.
type Error struct {
	Problem     Problem `json:"-"`
	Status      int     `json:"-"` // HTTP status at top level; 0 for a row that only items use
	Code        string  `json:"errorCode"`
	Description string  `json:"errorDescription"`
	// Subcode is one of Subcodes. The emulator sends it where a rule for faults says so, and never by itself.
	Subcode string `json:"errorSubcode,omitempty"`
	// Explain is for people: the rule's id, a colon, the fact that broke it with ids and ages, and the cure. No body
	// carries it; it goes into the log and the header X-Emu-Explain.
	Explain string `json:"-"`
	// Pointer is the JSON pointer of the field at fault, which only the account API tells.
	Pointer string `json:"-"`
}

// Subcodes are what one client reads beside signaling_state_not_stable (contract 1.2, seen).
var Subcodes = []string{"invalid_modification_have_local_offer", "invalid_modification_have_remote_offer",
	"invalid_modification_have_local_pranswer", "invalid_modification_have_remote_pranswer", "invalid_modification_stable"}

// HasSubcodes reports whether errors of this code may have a subcode.
func HasSubcodes(code string) bool { return code == catalogue[Overlap].Code }

// Error gives code, text and explanation in one line, for logs.
func (e *Error) Error() string {
	if e.Explain == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Description)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Code, e.Description, e.Explain)
}

// Refuse makes the error of one catalogue row. explain is a format for the log: what broke the rule, and the cure.
// A row whose text has a blank in it needs Fill as well.
func Refuse(p Problem, explain string, args ...any) *Error {
	row := catalogue[p]
	return &Error{
		Problem:     p,
		Status:      row.Status,
		Code:        row.Code,
		Description: row.Text,
		Explain:     row.Rule + ": " + fmt.Sprintf(explain, args...),
	}
}

// Under names another rule in the explanation than the row's own: one row may have several causes.
func (e *Error) Under(rule string) *Error {
	_, fact, _ := strings.Cut(e.Explain, ": ")
	e.Explain = rule + ": " + fact
	return e
}

// Failures are the failed items inside an answer of status 200, in their order. Every answer with items has them; they
// are not in its JSON.
type Failures struct {
	Failed []*Error `json:"-"`
}

// Explanations lists why items failed, for the log and the header.
func (f Failures) Explanations() []string {
	list := make([]string, 0, len(f.Failed))
	for _, e := range f.Failed {
		list = append(list, e.Explain)
	}
	return list
}

// Fill puts values into the blanks of the row's text, such as an item's index.
func (e *Error) Fill(args ...any) *Error {
	e.Description = fmt.Sprintf(catalogue[e.Problem].Text, args...)
	return e
}
