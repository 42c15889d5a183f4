package meter

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestPublishedTable holds docs/gas.md against the code.
func TestPublishedTable(t *testing.T) {
	text, err := os.ReadFile("../../../docs/gas.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([A-Za-z0-9]+)` \\| ([0-9]+) \\|").FindAllStringSubmatch(string(text), -1)
	if len(rows) != classes {
		t.Fatalf("%d classes are published, there are %d", len(rows), classes)
	}
	for c, cost := range V1().Cost {
		if rows[c][2] != strconv.FormatInt(cost, 10) {
			t.Errorf("%s is published as %s, and costs %d", rows[c][1], rows[c][2], cost)
		}
	}
}
