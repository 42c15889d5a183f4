package nitro_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/nitro"
)

// recorded reads a document; the test that needs it is skipped without recorded evidence.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded documents to verify")
	}
	b, err := os.ReadFile(filepath.Join(dir, "nitro", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestP15_Recorded(t *testing.T) {
	for _, c := range []struct {
		name, at, pcr0, user string
		debug                bool
	}{
		{"dstack-attest__tests__nitro_attestation.cose", "2025-12-25T16:04:19Z", "eb7d0dab08ff4154", "e3b0c442", false},
		{"dstack-attest__tests__nitro_attestation_dbg.cose", "2025-12-25T08:20:46Z", strings.Repeat("00", 48), "00000000", true},
	} {
		doc := recorded(t, c.name)
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		o := nitro.Options{Now: at, Root: nitro.AWSRoot()}
		got, err := nitro.Verify(doc, o)
		if err != nil {
			t.Fatal(err)
		}
		if m := hex.EncodeToString(got.Measurement); !strings.HasPrefix(m, c.pcr0) || len(m) != 96 || got.Debug != c.debug {
			t.Errorf("%s: measurement %s, debug %v", c.name, m, got.Debug)
		}
		if u := hex.EncodeToString(got.ReportData); !strings.HasPrefix(u, c.user) || len(got.ReportData) != 64 {
			t.Errorf("%s: report data %s", c.name, u)
		}
		if len(got.Registers) != 16 || !strings.HasPrefix(string(got.ChipID), "i-0") || !got.NotBefore.Before(at) || got.NotAfter.Before(at) {
			t.Errorf("%s: %d registers, chip %s, in force %s to %s", c.name, len(got.Registers), got.ChipID, got.NotBefore, got.NotAfter)
		}
		for want, now := range map[string]time.Time{"expired": at.Add(24 * time.Hour), "not-yet-valid": at.Add(-24 * time.Hour)} {
			o.Now = now
			if _, err := nitro.Verify(doc, o); code(err) != want {
				t.Errorf("%s at %s: %v", c.name, now, err)
			}
		}
	}
}

func code(err error) string {
	if r := claims.Reasons(err, "?"); len(r) > 0 {
		return r[0].Code
	}
	return ""
}

func TestAWSRoot(t *testing.T) {
	if len(nitro.AWSRoot()) != 533 {
		t.Error("the root is not of the pinned hash")
	}
}
