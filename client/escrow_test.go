package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// asked is a cluster with two deals, of which the second is sealed badly, and a request that bert has answered in part.
func asked(t *testing.T) (e *Escrow, keys []*escrow.Key, a *EscrowAsk, one hpke.PrivateKey) {
	t.Helper()
	terms := &wire.EscrowTerms{Cluster: 1, Threshold: 2}
	for i, name := range []string{"anna", "bert", "cleo"} {
		k, err := escrow.NewKey(bytes.Repeat([]byte{byte(i + 1)}, escrow.SeedSize))
		if err != nil {
			t.Fatal(err)
		}
		keys, terms.Custodians = append(keys, k), append(terms.Custodians, k.Custodian(name))
	}
	e = &Escrow{Height: 50, Cluster: &wire.Cluster{Id: 1}, Record: &wire.KeyEscrow{Terms: terms}}
	for n := range 2 {
		s, err := keytree.NewSecret(bytes.Repeat([]byte{9}, keytree.Size))
		if err != nil {
			t.Fatal(err)
		}
		d, err := escrow.Deal("phala-test", terms, uint64(n+1), 1, s)
		if err != nil {
			t.Fatal(err)
		}
		d.Worker = &wire.WorkerRef{Operator: "pha1member", Slot: uint32(n)}
		e.Deals = append(e.Deals, &Dealt{0, d})
	}
	e.Deals[1].Deal.Sealed[0] = e.Deals[1].Deal.Sealed[2] // what anna gets is cleo's
	one, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	id := ed25519.NewKeyFromSeed(make([]byte, 32))
	r := &wire.EscrowRequest{Cluster: 1, Worker: &wire.WorkerRef{Operator: "pha1member"}, OneTimeKey: one.PublicKey().Bytes(), IdentityKey: id.Public().(ed25519.PublicKey)}
	r.Signature = ed25519.Sign(id, escrow.RequestBytes("phala-test", r))
	a = &EscrowAsk{Request: r, Answered: map[EscrowSlot]bool{{0, 1}: true}}
	e.Requests = []*EscrowAsk{a}
	return e, keys, a, one
}

func TestACustodianAnswersWhatItHasNotAnswered(t *testing.T) {
	e, keys, a, one := asked(t)
	shares, failed := e.Answer("phala-test", keys[1], a)
	if len(shares) != 1 || len(failed) != 0 || shares[0].Epoch != 2 || shares[0].Custodian != 1 {
		t.Fatalf("bert gives %v, %v", shares, failed)
	}
	if err := escrow.CheckShare("phala-test", e.Record.Terms, e.Deals[1].Deal, a.Request, shares[0]); err != nil {
		t.Error(err)
	}
	if _, err := escrow.OpenAnswer("phala-test", e.Record.Terms, e.Deals[1].Deal, one, shares[0]); err != nil {
		t.Error(err)
	}
	// What does not open names who dealt it, and the rest is given.
	shares, failed = e.Answer("phala-test", keys[0], a)
	if len(shares) != 1 || shares[0].Epoch != 1 || len(failed) != 1 || !strings.Contains(failed[0].Error(), "pha1member/1 dealt") {
		t.Errorf("anna gives %v, %v", shares, failed)
	}
	a.Refused = errors.New("it is no member any more")
	if shares, failed = e.Answer("phala-test", keys[2], a); len(shares) != 0 || len(failed) != 1 {
		t.Errorf("one who may not be answered gets %v, %v", shares, failed)
	}
}

func TestOnlyCustodiansOpen(t *testing.T) {
	e, keys, _, _ := asked(t)
	for i, k := range keys {
		if got, ok := e.Custodian(k); !ok || int(got) != i {
			t.Errorf("custodian %d is %d, %v", i, got, ok)
		}
	}
	other, err := escrow.NewKey(make([]byte, escrow.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := e.Custodian(other); ok {
		t.Error("a stranger is a custodian")
	}
	if _, err := e.Open("phala-test", other, e.Deals[0]); err == nil {
		t.Error("a stranger opens a share")
	}
	e.Record.Terms.Threshold = 3 // the deal is of other terms
	if _, err := e.Open("phala-test", keys[0], e.Deals[0]); err == nil {
		t.Error("a deal under other terms is opened")
	}
	if _, ok := (&Escrow{}).Custodian(keys[0]); ok {
		t.Error("there is no escrow, and yet a custodian")
	}
}
