package executor

import (
	"bytes"
	"testing"
	"time"

	cmt "github.com/cometbft/cometbft/types"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// P9: a production chain whose state says today that it is one of development, without a delay, has no escrow the sooner.
func TestP09_TheGenesisDecidesWhetherThereIsADelay(t *testing.T) {
	key, err := escrow.NewKey(make([]byte, escrow.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	other, err := escrow.NewKey(bytes.Repeat([]byte{1}, escrow.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	terms := &wire.EscrowTerms{Cluster: 1, Threshold: 2, Custodians: []*wire.Custodian{key.Custodian("anna"), other.Custodian("bert")}}
	says := map[string]wire.Message{
		string(storekey.Network()):       &wire.NetworkParams{Development: true},
		string(storekey.KeyEscrowKey(1)): &wire.KeyEscrow{Terms: terms, ApprovedHeight: 5},
		string(storekey.ClusterKey(1)):   &wire.Cluster{Id: 1, EscrowHeight: 5, EscrowConsent: escrow.TermsHash(terms)},
	}
	for _, development := range []bool{true, false} {
		g := &light.Genesis{Validators: cmt.NewValidatorSet(nil), Development: development}
		x := New(Config{ChainID: "phala-test", Light: lightclient.New(lightclient.Config{Genesis: g, Now: time.Now})})
		c := newCluster(1)
		c.height = 10
		d := &dealing{label: label{1, 1}, terms: 5}
		if _, ok, err := x.inForce(c, d); ok || err != nil {
			t.Fatalf("before anything is proven: %v, %v", ok, err)
		}
		for _, o := range x.drain() {
			for _, k := range o.GetNeedValues().GetKeys() {
				d.now.got[lightclient.ID(k)] = nil
				if m := says[string(k.Key)]; m != nil {
					d.now.got[lightclient.ID(k)] = wire.Marshal(m)
				}
			}
		}
		if _, ok, err := x.inForce(c, d); ok != development || err != nil {
			t.Errorf("development %v: in force %v, %v", development, ok, err)
		}
	}
}
