package main

import (
	"io"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	loop := func(name string, rate float64, judged bool) figure {
		return figure{name: name, rate: rate, judged: judged}
	}
	for _, c := range []struct {
		name    string
		figures []figure
		want    string // in the error
	}{
		{"in step", []figure{loop("A", 100, true), loop("B", 199, true)}, ""},
		{"apart", []figure{loop("A", 100, true), loop("B", 201, true)}, "A and B are 2.01 times apart"},
		{"loops of a class count with their mean", []figure{loop("A", 100, true), loop("B", 300, true), loop("B (short)", 100, true)}, ""},
		{"what is not judged", []figure{loop("A", 100, true), loop("B", 900, false)}, ""},
		{"nothing", []figure{loop("A", 100, false)}, "nothing was measured"},
	} {
		err := report(c.figures, io.Discard)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestMeasure runs one loop of each kind once: what it gives must be of the
// loop that was asked for.
func TestMeasure(t *testing.T) {
	var out strings.Builder
	err := run(options{only: "addr_humanize", rounds: 1}, &out)
	if err != nil || !strings.Contains(out.String(), "addr_humanize") || strings.Contains(out.String(), "db_read") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
