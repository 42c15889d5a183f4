package dcap_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

// The name under which collateral is fetched is the one that the TCB info then has.
func TestPlatformOf(t *testing.T) {
	for _, version := range []uint16{3, 4, 5} {
		e := made(t, dcaptest.New("seed", version, at))
		p, err := dcap.PlatformOf(e.Quote, nil)
		if err != nil || p.CA != "platform" {
			t.Fatalf("version %d: %+v, %v", version, p, err)
		}
		var info struct{ FMSPC, PCEID string }
		if err := json.Unmarshal(e.Collateral.TCBInfo, &info); err != nil {
			t.Fatal(err)
		}
		if !strings.EqualFold(fmt.Sprintf("%x", p.FMSPC), info.FMSPC) || !strings.EqualFold(fmt.Sprintf("%x", p.PCEID), info.PCEID) {
			t.Errorf("version %d: %+v, the TCB info is of %+v", version, p, info)
		}
	}
	e := made(t, dcaptest.New("seed", 5, at))
	for name, quote := range map[string][]byte{"nothing": nil, "cut short": e.Quote[:len(e.Quote)/2], "goes on": append(e.Quote, 1)} {
		if _, err := dcap.PlatformOf(quote, nil); err == nil {
			t.Errorf("%s: it has a platform", name)
		}
	}
}
