package wire

import "fmt"

// Error is a failed request, or the failure of one item. As JSON it is {"errorCode","errorDescription"}.
type Error struct {
	Problem     Problem `json:"-"`
	Status      int     `json:"-"` // HTTP status at top level; 0 for a row that only items use
	Code        string  `json:"errorCode"`
	Description string  `json:"errorDescription"`
	Explain     string  `json:"-"` // for the log: what broke which rule, with ids, and the cure; never sent
}

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
		Explain:     fmt.Sprintf(explain, args...),
	}
}

// Fill puts values into the blanks of the row's text, such as an item's index.
func (e *Error) Fill(args ...any) *Error {
	e.Description = fmt.Sprintf(catalogue[e.Problem].Text, args...)
	return e
}
