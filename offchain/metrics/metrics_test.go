package metrics

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func printedSet(t *testing.T, s *Set) string {
	t.Helper()
	r := httptest.NewRecorder()
	s.ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	if ct := r.Header().Get("Content-Type"); r.Code != 200 || !strings.HasPrefix(ct, "text/plain; version=0.0.4") {
		t.Errorf("status %d, content type %q", r.Code, ct)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFormat(t *testing.T) {
	s := New()
	s.Put(VerifiedHeight, 3)
	s.Put(VerifiedHeight, 12345678)
	s.Add(Failures, 1, "a\"b\\c\nd")
	s.Add(Failures, 2, "a\"b\\c\nd")
	s.Add(Failures, 1, "stale")
	s.Put(ClusterEpoch, 7, "1")
	s.Put(ClusterEpoch, 7, "2")
	s.Forget(ClusterEpoch)
	s.Put("phala_unknown", 1)
	s.Add(Failures, 1) // a label is missing
	want := `# HELP phala_verified_height Newest height that the enclave has verified.
# TYPE phala_verified_height gauge
phala_verified_height 1.2345678e+07
# HELP phala_enclave_failures_total What the enclave has refused or complained about, by code; the log has the reason.
# TYPE phala_enclave_failures_total counter
phala_enclave_failures_total{code="a\"b\\c\nd"} 3
phala_enclave_failures_total{code="stale"} 1
`
	if got := printedSet(t, s); got != want {
		t.Errorf("printed:\n%swant:\n%s", got, want)
	}
	for _, path := range []string{"/", "/metrics/x"} {
		r := httptest.NewRecorder()
		if s.ServeHTTP(r, httptest.NewRequest("GET", path, nil)); r.Code != 404 {
			t.Errorf("%s: status %d", path, r.Code)
		}
	}
}

// Names come from peers and the chain: they cannot fill the memory.
func TestSeriesAreBounded(t *testing.T) {
	s := New()
	for i := range 10 * maxSeries {
		s.Add(Failures, 1, strconv.Itoa(i))
	}
	got := printedSet(t, s)
	if n := strings.Count(got, "\n"); n > maxSeries+3 {
		t.Errorf("%d lines", n)
	}
	if want := `{code="other"} ` + strconv.Itoa(9*maxSeries); !strings.Contains(got, want) {
		t.Errorf("want %s", want)
	}
	var none *Set
	none.Add(Failures, 1, "x")
	none.Put(VerifiedHeight, 1)
	none.Forget(Failures)
}

// What is shown is described, once each, and as Prometheus wants names; the document lists the same.
func TestTableIsTheDocument(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	name, seen := regexp.MustCompile(`^phala_[a-z_]+[a-z]$`), map[string]bool{}
	for _, m := range Table() {
		if !name.MatchString(m.Name) || seen[m.Name] || m.Help == "" || strings.Contains(m.Help, "\n") || (m.Kind == "counter") != strings.HasSuffix(m.Name, "_total") || (m.Kind != "counter" && m.Kind != "gauge") {
			t.Errorf("%+v", m)
		}
		seen[m.Name] = true
		row := "| `" + m.Name + "` | " + m.Kind + " | " + strings.Join(m.Labels, ", ") + " | " + m.Help + " |"
		if !strings.Contains(string(doc), row+"\n") {
			t.Errorf("docs/reference/metrics.md lacks\n%s", row)
		}
	}
	for _, n := range regexp.MustCompile(`phala_[a-z_]+[a-z]`).FindAllString(string(doc), -1) {
		if !seen[n] {
			t.Errorf("docs/reference/metrics.md knows of %s, which does not exist", n)
		}
	}
}
