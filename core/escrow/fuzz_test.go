package escrow

import (
	"testing"

	"github.com/phala-go/phala/core/wire"
)

// Whatever comes from outside is refused or opens; nothing panics, and nothing but what the custodian was dealt opens as its share.
func FuzzDeal(f *testing.F) {
	terms, keys := committee(f, 2, 3)
	d := dealt(f, terms, secret(f, counted()))
	f.Add(wire.Marshal(d), uint32(0))
	d.Sealed = d.Sealed[:2]
	f.Add(wire.Marshal(d), uint32(2))
	f.Fuzz(func(t *testing.T, b []byte, index uint32) {
		var d wire.EscrowDeal
		if wire.Unmarshal(b, &d) != nil {
			return
		}
		checked := CheckDeal(terms, &d) == nil
		s, err := keys[index%3].OpenDealt(chainID, &d, index)
		if err == nil && checked && string(commitment(AboutDeal(chainID, &d), index, s)) != string(d.Shares[index]) {
			t.Error("another share than the one committed to was opened")
		}
	})
}

func FuzzShare(f *testing.F) {
	terms, keys := committee(f, 2, 3)
	d := dealt(f, terms, secret(f, counted()))
	r, one := request(f)
	own, err := keys[1].OpenDealt(chainID, d, 1)
	if err != nil {
		f.Fatal(err)
	}
	a, err := keys[1].Answer(chainID, d, 0, 1, own, r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.Marshal(a), wire.Marshal(r))
	f.Fuzz(func(t *testing.T, share, request []byte) {
		var s wire.EscrowShare
		var q wire.EscrowRequest
		if wire.Unmarshal(request, &q) != nil || wire.Unmarshal(share, &s) != nil {
			return
		}
		signed := CheckRequest(chainID, &q) == nil
		if CheckShare(chainID, terms, d, &q, &s) != nil {
			return
		}
		if _, err := OpenAnswer(chainID, terms, d, one, &s); err == nil && signed && s.Custodian != 1 {
			t.Error("a share of a custodian who gave none was opened")
		}
	})
}

func FuzzTerms(f *testing.F) {
	terms, _ := committee(f, 2, 3)
	f.Add(wire.Marshal(terms))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x wire.EscrowTerms
		if wire.Unmarshal(b, &x) != nil || CheckTerms(&x) != nil {
			return
		}
		if x.Threshold < MinThreshold || int(x.Threshold) > len(x.Custodians) || len(x.Custodians) > MaxCustodians {
			t.Errorf("%d of %d were taken", x.Threshold, len(x.Custodians))
		}
	})
}
