package types

import (
	"bytes"
	"slices"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/wire"
)

// CheckRoster refuses a roster that the network may not have. Outside development two members more than the threshold must
// exist: a key has that many holders more than one, and a wrong part is seen by comparing.
func CheckRoster(n *wire.NetworkParams, threshold uint32, members []*wire.WorkerRef) error {
	switch {
	case len(members) == 0 || len(members) > dprf.MaxN:
		return ErrRoster.Wrapf("%d members: want 1 to %d", len(members), dprf.MaxN)
	case threshold == 0 || int(threshold) > len(members):
		return ErrRoster.Wrapf("threshold %d with %d members: want 1 to %d", threshold, len(members), len(members))
	case !n.GetDevelopment() && len(members)-int(threshold) < 2:
		return ErrRoster.Wrapf("threshold %d with %d members: want two members more than the threshold, outside development", threshold, len(members))
	}
	for i, w := range members {
		if _, err := address.Decode(w.GetOperator()); err != nil {
			return ErrRoster.Wrapf("members[%d]: operator %q: %v", i, w.GetOperator(), err)
		}
		if slices.ContainsFunc(members[:i], w.Is) {
			return ErrRoster.Wrapf("members[%d]: worker %s is named twice", i, w.Name())
		}
	}
	return nil
}

// SucceedRoster is the roster that the chain stores at height when governance replaces the one in force. One that only removes
// members, and asks for no fewer of them than before, comes into force at once: whoever can derive secrets under it could
// before. Any other waits as long as a new measurement does.
func SucceedRoster(n *wire.NetworkParams, inForce *wire.GatekeeperRoster, threshold uint32, members []*wire.WorkerRef, height uint64) (*wire.GatekeeperRoster, error) {
	if err := CheckRoster(n, threshold, members); err != nil {
		return nil, err
	}
	r := &wire.GatekeeperRoster{Threshold: threshold, Members: members, ApprovedHeight: height, FromHeight: height}
	added := func(w *wire.WorkerRef) bool { return !slices.ContainsFunc(inForce.GetMembers(), w.Is) }
	if threshold < inForce.GetThreshold() || slices.ContainsFunc(members, added) {
		if r.FromHeight += attest.ActivationDelay(n); r.FromHeight < height {
			return nil, ErrRoster.Wrapf("the network's activation delay of %d blocks never ends", attest.ActivationDelay(n))
		}
	}
	return r, nil
}

// SameRoster says whether governance has approved both in one.
func SameRoster(a, b *wire.GatekeeperRoster) bool {
	return a != nil && b != nil && bytes.Equal(wire.Marshal(a), wire.Marshal(b))
}

// CheckVendors refuses more than threshold-1 gatekeepers whose TEE is of one vendor, outside development: what breaks one
// vendor's TEEs must not give away a secret. kinds are those of members as registered.
func CheckVendors(n *wire.NetworkParams, threshold uint32, kinds []wire.TeeKind) error {
	if n.GetDevelopment() {
		return nil
	}
	count := make(map[string]uint32)
	for _, k := range kinds {
		v := Vendor(k)
		if count[v]++; count[v] >= threshold {
			return ErrVendor.Wrapf("%d gatekeepers with TEEs of %s, threshold %d: at most %d of one vendor may hold parts", count[v], v, threshold, threshold-1)
		}
	}
	return nil
}

// Vendor is whose word a kind of TEE rests on.
func Vendor(k wire.TeeKind) string {
	switch k {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX:
		return "Intel"
	case wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP:
		return "AMD"
	case wire.TEE_KIND_NITRO, wire.TEE_KIND_NITRO_TPM:
		return "AWS"
	}
	return k.String()
}
