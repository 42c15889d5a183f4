package light

import (
	"bytes"
	"fmt"

	ics23 "github.com/cosmos/ics23/go"

	"github.com/phala-go/phala/core/wire"
)

// VerifyValue checks v against the app hash of a verified header: the value, or with an empty value the absence, of the key in
// its module's IAVL tree, and that tree's root in the multistore.
func VerifyValue(appHash []byte, v *wire.StoreValue) error {
	k := v.GetKey()
	if k == nil || k.Store == "" || len(k.Key) == 0 || len(v.IavlProof) == 0 || len(v.StoreProof) == 0 {
		return fmt.Errorf("checking a store value: %w", ErrNoProof)
	}
	var inner, outer ics23.CommitmentProof
	if err := inner.Unmarshal(v.IavlProof); err != nil {
		return fmt.Errorf("checking %s/%x: decoding its proof: %w", k.Store, k.Key, err)
	}
	if err := outer.Unmarshal(v.StoreProof); err != nil {
		return fmt.Errorf("checking %s/%x: decoding the store's proof: %w", k.Store, k.Key, err)
	}
	exist := outer.GetExist()
	if exist == nil || !bytes.Equal(exist.Key, []byte(k.Store)) {
		return fmt.Errorf("checking %s/%x: the store's proof is of another store", k.Store, k.Key)
	}
	root := exist.Value
	if !ics23.VerifyMembership(ics23.TendermintSpec, appHash, &outer, []byte(k.Store), root) {
		return fmt.Errorf("checking %s/%x: the store's root does not belong to the header's app hash", k.Store, k.Key)
	}
	if len(v.Value) == 0 {
		if !ics23.VerifyNonMembership(ics23.IavlSpec, root, &inner, k.Key) {
			return fmt.Errorf("checking %s/%x: its absence is not proven", k.Store, k.Key)
		}
		return nil
	}
	if !ics23.VerifyMembership(ics23.IavlSpec, root, &inner, k.Key, v.Value) {
		return fmt.Errorf("checking %s/%x: the value is not proven", k.Store, k.Key)
	}
	return nil
}
