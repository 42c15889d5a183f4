package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// factor is how far the gas for a microsecond may be apart between classes.
const factor = 2

// report prints the table, and is an error if two classes are too far apart.
func report(figures []figure, w io.Writer) error {
	fmt.Fprintf(w, "%-28s %12s %10s %8s %9s\n", "", "gas a run", "µs a run", "gas/µs", "to ref.")
	classes := map[string][]float64{}
	for _, f := range figures {
		word := ""
		if f.judged {
			classes[class(f.name)] = append(classes[class(f.name)], f.rate)
		} else {
			word = "not judged"
		}
		fmt.Fprintf(w, "%-28s %12.0f %10.1f %8.0f %9.2f %s\n", f.name, f.gas, f.micros, f.rate, f.ratio, word)
	}
	if len(classes) == 0 {
		return errors.New("nothing was measured that is judged")
	}
	means := map[string]float64{}
	for name, rates := range classes {
		means[name] = mean(rates)
	}
	by := slices.SortedFunc(maps.Keys(means), func(a, b string) int { return int(math.Copysign(1, means[a]-means[b])) })
	low, high := by[0], by[len(by)-1]
	fmt.Fprintf(w, "%d classes, from %.0f gas/µs (%s) to %.0f (%s): a factor of %.2f\n", len(by), means[low], low, means[high], high, means[high]/means[low])
	if means[high] > factor*means[low] {
		return fmt.Errorf("%s and %s are %.2f times apart, more than %d: change the table in enclave/engine/meter", low, high, means[high]/means[low], factor)
	}
	return nil
}

// class is what the subject is one of: several loops may measure one.
func class(name string) string {
	if i := strings.IndexAny(name, "(,"); i > 0 {
		name = name[:i]
	}
	name, _, _ = strings.Cut(name, " of ")
	return strings.TrimSpace(name)
}

// mean is the geometric one.
func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(v)))
}

// conditions says how busy the machine is with other things.
func conditions(w io.Writer) error {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return fmt.Errorf("reading the machine's load: %w", err)
	}
	word, _, _ := strings.Cut(string(b), " ")
	load, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return fmt.Errorf("reading the machine's load from %q: %w", b, err)
	}
	fmt.Fprintf(w, "load %.2f\n", load)
	if load > 1 {
		fmt.Fprintln(w, "WARNING: a load above 1. Thread CPU time and turns with the reference make up for most of it; measure again on an idle machine before a table is published.")
	}
	return nil
}
