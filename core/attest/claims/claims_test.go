package claims

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		s          Status
		advisories []string
		level      int
		score      int
	}{
		{Unknown, nil, 0, 0},
		{UpToDate, nil, 1, 10},
		{SWHardeningNeeded, []string{"INTEL-SA-00615"}, 2, 10},
		{ConfigurationNeeded, nil, 3, 10},
		{ConfigurationAndSWHardeningNeeded, []string{"INTEL-SA-00289"}, 3, 10},
		{ConfigurationNeeded, []string{"INTEL-SA-00289", "INTEL-SA-00615"}, 4, 8},
		{OutOfDate, nil, 5, 7},
		{OutOfDateConfigurationNeeded, nil, 0, 0},
		{Revoked, nil, 0, 0},
		{Status(99), nil, 0, 0},
	} {
		level := Level(c.s, c.advisories, []string{"INTEL-SA-00289"})
		if level != c.level || Score(level) != c.score {
			t.Errorf("%s with %v: level %d, score %d", c.s, c.advisories, level, Score(level))
		}
	}
	if Level(ConfigurationNeeded, []string{"INTEL-SA-00289"}, nil) != 4 {
		t.Error("a policy that names no advisory takes one")
	}
}

func TestStatusNames(t *testing.T) {
	for s := UpToDate; s <= Revoked; s++ {
		if ParseStatus(s.String()) != s {
			t.Errorf("%s", s)
		}
	}
	if ParseStatus("uptodate") != Unknown || Unknown.String() != "" || Status(99).String() != "Status(99)" {
		t.Error("a word that is none")
	}
	if b, err := OutOfDate.MarshalText(); err != nil || string(b) != "OutOfDate" {
		t.Error(string(b), err)
	}
}

func TestReason(t *testing.T) {
	for want, r := range map[string]Reason{
		"debug": {Code: "debug"},
		"debug: TD_ATTRIBUTES is 01, want 00; start the TD without debug": {"debug", "TD_ATTRIBUTES", "01", "00", "start the TD without debug"},
		"bad-quote: 3 bytes":             {Code: "bad-quote", Got: "3 bytes"},
		"stale: tcb info; fetch it anew": {Code: "stale", Field: "tcb info", Advice: "fetch it anew"},
		"stale: fetch it anew":           {Code: "stale", Advice: "fetch it anew"},
	} {
		if r.String() != want || (&r).Error() != want {
			t.Errorf("%q, want %q", r.String(), want)
		}
	}
}

func TestReasons(t *testing.T) {
	a, b := Refuse("a", "f", "", "", ""), Refuse("b", "", "", "", "")
	got := Reasons(errors.Join(fmt.Errorf("reading: %w", a), b, errors.New("other")), "bad-quote")
	if len(got) != 3 || got[0].Code != "a" || got[1].Code != "b" || got[2].Code != "bad-quote" || got[2].Got != "other" {
		t.Errorf("%v", got)
	}
	if Reasons(nil, "x") != nil {
		t.Error("reasons without an error")
	}
}

func TestWithin(t *testing.T) {
	var c Claims
	at := func(h int) time.Time { return time.Unix(0, 0).Add(time.Duration(h) * time.Hour) }
	c.Within(at(1), at(9))
	c.Within(at(2), at(20))
	c.Within(at(0), at(8))
	if !c.NotBefore.Equal(at(2)) || !c.NotAfter.Equal(at(8)) {
		t.Error(c.NotBefore, c.NotAfter)
	}
}

func TestLookups(t *testing.T) {
	c := Claims{Registers: []Register{{"MRTD", []byte{1}}}, Versions: []Version{{"pce", 7}}}
	if v, ok := c.Version("pce"); !ok || v != 7 || c.Register("MRTD")[0] != 1 || c.Register("RTMR0") != nil {
		t.Error("look-up")
	}
	if _, ok := c.Version("x"); ok {
		t.Error("a version that is not there")
	}
}
