package attest

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// page prints rows of name and value for people.
type page struct {
	w      io.Writer
	colour bool
}

func newPage(e Env, w io.Writer) *page { return &page{w: w, colour: coloured(e.Out)} }

// clean is s without anything that a terminal would act upon: what evidence says comes from strangers.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func (p *page) paint(code, s string) string {
	if !p.colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *page) good(s string) string { return p.paint("1;32", s) }
func (p *page) bad(s string) string  { return p.paint("1;31", s) }

// row leaves out what has no value.
func (p *page) row(name, value string) {
	if value != "" {
		fmt.Fprintf(p.w, "  %-14s %s\n", name, clean(value))
	}
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// cells are rows of a table, each column as wide as its widest cell.
func (p *page) cells(rows [][]string) {
	var wide []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], len([]rune(clean(c))))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, c := range r {
			fmt.Fprintf(&b, "  %-*s", wide[i], clean(c))
		}
		fmt.Fprintln(p.w, strings.TrimRight(b.String(), " "))
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
