// Package metrics keeps the figures that an operator watches and shows them in Prometheus' text format. They come from public
// state and from what passes between the chain and the enclave; it must never be given a secret, nor more labels than it bounds.
package metrics

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxSeries bounds the label values of one metric. What comes after counts as "other": names come from peers and the chain.
const maxSeries = 256

// Set is a program's figures. A nil Set takes everything and keeps nothing.
type Set struct {
	mu     sync.Mutex
	values map[string]map[string]float64 // metric -> labels as they are printed -> value
}

// New makes an empty set.
func New() *Set { return &Set{values: map[string]map[string]float64{}} }

// Add adds to a counter of Table; labels are values in the order of its Labels.
func (s *Set) Add(name string, n float64, labels ...string) { s.change(name, n, true, labels) }

// Put sets a gauge of Table.
func (s *Set) Put(name string, v float64, labels ...string) { s.change(name, v, false, labels) }

// Forget drops all series of metrics, whose labels are about to be told anew.
func (s *Set) Forget(names ...string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		delete(s.values, n)
	}
}

func (s *Set) change(name string, v float64, add bool, labels []string) {
	if s == nil {
		return
	}
	m, ok := find(name)
	if !ok || len(labels) != len(m.Labels) {
		return // a metric that nobody has described is not shown; a test of each caller finds it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	series := s.values[name]
	if series == nil {
		series = map[string]float64{}
		s.values[name] = series
	}
	k := printed(m.Labels, labels)
	if _, known := series[k]; !known && len(series) >= maxSeries {
		k = printed(m.Labels, slices.Repeat([]string{"other"}, len(labels)))
	}
	if add {
		v += series[k]
	}
	series[k] = v
}

func find(name string) (Metric, bool) {
	for _, m := range Table() {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// printed gives labels as the format has them: {a="x",b="y"}.
func printed(names, values []string) string {
	if len(names) == 0 {
		return ""
	}
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	var b strings.Builder
	for i, n := range names {
		b.WriteString([]string{"{", ","}[min(i, 1)])
		fmt.Fprintf(&b, `%s="%s"`, n, escape.Replace(strings.ToValidUTF8(values[i], "?")))
	}
	return b.String() + "}"
}

// Write prints everything in Prometheus' text format, version 0.0.4.
func (s *Set) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range Table() {
		series := s.values[m.Name]
		if len(series) == 0 {
			continue
		}
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, m.Kind)
		keys := make([]string, 0, len(series))
		for k := range series {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			fmt.Fprintf(out, "%s%s %s\n", m.Name, k, strconv.FormatFloat(series[k], 'g', -1, 64))
		}
	}
	return out.Flush()
}

// ServeHTTP answers GET /metrics.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metrics" || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		http.Error(w, "the metrics are at GET /metrics", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = s.Write(w) // whoever asked has gone
}
