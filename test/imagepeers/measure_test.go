// Package imagepeers compares the measurements that core/attest/measure computes with those of another implementation.
package imagepeers

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gce-tcb-verifier/tdx"
	"github.com/google/gce-tcb-verifier/testing/fakeovmf"

	"github.com/phala-go/phala/core/attest/measure"
)

// compare says whether both give the same MRTD.
func compare(t *testing.T, name string, firmware []byte) {
	t.Helper()
	want, err := tdx.MRTD(tdx.LaunchOptionsDefault(""), firmware)
	if err != nil {
		t.Fatalf("%s: the other: %v", name, err)
	}
	f, err := measure.ReadFirmware(firmware)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got, err := f.MRTD(); err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("%s: %x, the other %x, %v", name, got, want, err)
	}
}

func TestMRTD(t *testing.T) {
	made := fakeovmf.CleanExample(t, 2<<20)
	compare(t, "made", made)
	for i := range 0x1000 { // of the boot volume
		made[len(made)-0x10000+i] ^= byte(i)
		if i%0x400 == 0 {
			compare(t, "changed", made)
		}
	}
}

// Builds of OVMF that are here: Debian's, and those that make image has fetched.
func TestMRTDOfDebian(t *testing.T) {
	found := 0
	for _, pattern := range []string{"/usr/share/ovmf/*.fd", "../../dist/*.fd"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range files {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, p, b)
			found++
		}
	}
	if found == 0 {
		t.Skip("no OVMF here: make image fetches two; made firmware was compared all the same")
	}
	t.Logf("%d builds of OVMF compared", found)
}
