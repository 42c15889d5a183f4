package sevsnp

import "testing"

// Each floor that is missed is one of an advisory that Verify names, and each advisory has one.
func TestMissedExplainsTheStatus(t *testing.T) {
	for _, name := range []string{"google-milan-vcek", "trustee-aws-milan-vlek"} {
		report, col, o := recorded(t, name)
		c, err := Verify(report, col, o)
		if err != nil {
			t.Fatal(err)
		}
		floors, err := Missed(report, col.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for _, f := range floors {
			named[f.Advisory] = true
			if is, ok := c.Version(string(f.Component)); !ok || is >= uint64(f.Least) {
				t.Errorf("%s: %s is %d, which reaches %d", name, f.Component, is, f.Least)
			}
		}
		for _, a := range c.Advisories {
			if !named[a] {
				t.Errorf("%s: nothing explains %s", name, a)
			}
			delete(named, a)
		}
		if len(named) != 0 {
			t.Errorf("%s: %v, which Verify does not name", name, named)
		}
	}
	if _, err := Missed(make([]byte, 3), nil); err == nil {
		t.Error("three bytes were a report")
	}
}
