package dcap_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

var at = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func made(t testing.TB, m dcaptest.Machine) dcaptest.Evidence {
	t.Helper()
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func verify(e dcaptest.Evidence) (claims.Claims, error) {
	return dcap.Verify(e.Quote, e.Collateral, e.Options)
}

func TestGenerated(t *testing.T) {
	for _, version := range []uint16{3, 4, 5} {
		for _, loose := range []bool{false, true} {
			m := dcaptest.New("seed", version, at)
			m.LoosePCK, m.Processor = loose, loose
			m.ReportData = [64]byte{7, 63: 9}
			e := made(t, m)
			c, err := verify(e)
			if err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			ppid := m.PPID()
			if c.Status != claims.UpToDate || c.Debug || len(c.Advisories) != 0 || !bytes.Equal(c.ReportData, m.ReportData[:]) || !bytes.Equal(c.ChipID, ppid[:]) {
				t.Errorf("version %d: %+v", version, c)
			}
			if again := made(t, m); !bytes.Equal(again.Quote, e.Quote) || !bytes.Equal(again.Collateral.RootCRL, e.Collateral.RootCRL) {
				t.Errorf("version %d: other bytes the second time", version)
			}
		}
	}
}
