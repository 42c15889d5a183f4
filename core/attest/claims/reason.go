package claims

import (
	"errors"
	"strings"
)

// Reason is one cause of a refusal: which field, what stood there, what was expected, and what the operator can do.
type Reason struct {
	Code   string `json:"code"`             // stable, kebab-case
	Field  string `json:"field,omitempty"`  // as the kind's specification names it
	Got    string `json:"got,omitempty"`    // the value found
	Want   string `json:"want,omitempty"`   // what would have been accepted
	Advice string `json:"advice,omitempty"` // what to do next
}

// Refuse is a Reason as an error.
func Refuse(code, field, got, want, advice string) error {
	return &Reason{code, field, got, want, advice}
}

// Error is the reason in one line.
func (r *Reason) Error() string { return r.String() }

// String is "code: field is got, want want; advice" without the parts that are empty.
func (r Reason) String() string {
	var b strings.Builder
	b.WriteString(r.Code)
	sep := ": "
	put := func(parts ...string) {
		b.WriteString(sep)
		for _, p := range parts {
			b.WriteString(p)
		}
	}
	switch {
	case r.Field != "" && r.Got != "":
		put(r.Field, " is ", r.Got)
		sep = ", "
	case r.Field != "" || r.Got != "":
		put(r.Field, r.Got)
		sep = ", "
	}
	if r.Want != "" {
		put("want ", r.Want)
		sep = "; "
	}
	if r.Advice != "" {
		if sep == ", " {
			sep = "; "
		}
		put(r.Advice)
	}
	return b.String()
}

// Reasons are all the reasons in err, in order; an error that holds none becomes one with the given code.
func Reasons(err error, code string) []Reason {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []Reason
		for _, e := range joined.Unwrap() {
			out = append(out, Reasons(e, code)...)
		}
		return out
	}
	var r *Reason
	if errors.As(err, &r) {
		return []Reason{*r}
	}
	return []Reason{{Code: code, Got: err.Error()}}
}
