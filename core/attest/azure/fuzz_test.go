package azure

import (
	"encoding/json"
	"testing"
)

// Whatever stands before the signature check is open to everybody; the runtime data stands behind it, and is read as strictly.
func FuzzRuntimeData(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"AQAB"}],"vm-configuration":{"secure-boot":true}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := attestationKey(b)
		if err == nil && (k.E != 65537 || k.N.BitLen() < 2048 || k.N.BitLen() > 4096 || !json.Valid(b)) {
			t.Errorf("read a key of %d bits from %q", k.N.BitLen(), b)
		}
	})
}

func FuzzHCL(f *testing.F) {
	f.Add([]byte("HCLA"))
	f.Add(make([]byte, runtimeAt+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHCL(b); err == nil && (len(h.runtime) == 0 || len(h.runtime) > len(b)-runtimeAt) {
			t.Error("read runtime data that is not there")
		}
	})
}
