package client

import (
	"errors"
	"sync"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

func ask(t *testing.T, s *Session, contract string) *Answer {
	t.Helper()
	a, err := s.Query(t.Context(), contract, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A session asks on with one opening, and opens itself anew where it has to: its keys are gone, its member is, an answer was changed.
func TestSessionGoesOn(t *testing.T) {
	v, c := newVillage(t)
	s, err := c.OpenSession(t.Context(), v.Cluster, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 20 {
		if a := ask(t, s, v.contract); string(a.Data) != "1" || a.Gateway == "" {
			t.Fatalf("%v", a)
		}
	}
	if v.opened != 1 {
		t.Errorf("%d openings for 20 questions", v.opened)
	}
	p, err := v.submit(c)
	if err != nil {
		t.Fatal(err)
	}
	v.result(c, p)
	s.forget() // else an answer of five seconds ago would do
	if a := ask(t, s, v.contract); string(a.Data) != "2" {
		t.Errorf("after a batch: %s", a.Data)
	}
	for name, happens := range map[string]func(){
		"three borders":    func() { v.mu.Lock(); v.epochs(3); v.mu.Unlock() },
		"its member gone":  func() { v.gone = v.Members[s.member()] },
		"a changed answer": func() { v.garble = func(r *wire.SessionReply) { r.Ciphertext[7] ^= 1 } },
		"its member new":   func() { v.mu.Lock(); v.Members[s.member()].Restart(); v.Blocks(12); v.mu.Unlock() },
	} {
		before := v.opened
		happens()
		if a := ask(t, s, v.contract); string(a.Data) != "2" || v.opened <= before {
			t.Errorf("%s: %v after %d openings", name, a, v.opened-before)
		}
		v.gone = nil
	}
	var wg sync.WaitGroup
	before := v.opened
	for range 10 {
		wg.Go(func() { ask(t, s, v.contract) })
	}
	wg.Wait()
	if v.opened > before {
		t.Errorf("%d openings for ten at a time", v.opened-before)
	}
}

// member is whose session stands.
func (s *Session) member() int { return int(s.link.url[0] - '0') }

// A refusal by the contract, or of the permit, is told at once and ends nothing.
func TestSessionRefusals(t *testing.T) {
	v, c := newVillage(t)
	s, err := c.OpenSession(t.Context(), v.Cluster, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	own := v.User("maker").Instantiate(v.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OWNER, fine)
	v.Blocks(6)
	s.forget()
	for contract, want := range map[string]string{address.Encode(own.Item.Address): "permit-missing", address.Encode(make([]byte, 32)): "no-such-contract"} {
		var f *Failure
		if a, err := s.Query(t.Context(), contract, []byte("{}")); !errors.As(err, &f) || f.Code != want {
			t.Errorf("%v, %v, want %s", a, err, want)
		}
	}
	if _, err := s.Query(t.Context(), "pha1nothing", []byte("{}")); err == nil {
		t.Error("an address that is none")
	}
	if ask(t, s, v.contract); v.opened != 1 {
		t.Errorf("%d openings", v.opened)
	}
	p, err := c.Permit(v.Cluster, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.Signature[3] ^= 1
	var f *Failure
	if _, err := c.OpenSession(t.Context(), v.Cluster, p); !errors.As(err, &f) || f.Code != "permit-invalid" {
		t.Errorf("a permit that is none: %v", err)
	}
	if _, err := c.OpenSession(t.Context(), 99, nil); !errors.As(err, &f) || f.Code != "unknown-cluster" {
		t.Errorf("no cluster: %v", err)
	}
}

// An answer whose state is not the chain's is refused, as without a session.
func TestP05_SessionAnswersAreTheChains(t *testing.T) {
	v, c := newVillage(t)
	s, err := c.OpenSession(t.Context(), v.Cluster, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := ask(t, s, v.contract)
	view, err := c.Cluster(t.Context(), v.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*wire.QueryReply){
		"another root":     func(r *wire.QueryReply) { r.Root = append([]byte{}, r.Root...); r.Root[3] ^= 1 },
		"another batch":    func(r *wire.QueryReply) { r.BatchHash = append([]byte{}, r.BatchHash...); r.BatchHash[3] ^= 1 },
		"an older height":  func(r *wire.QueryReply) { r.Height-- },
		"another cluster":  func(r *wire.QueryReply) { r.Cluster++ },
		"no batch's state": func(r *wire.QueryReply) { r.Number = 0 },
	} {
		r := *a.QueryReply
		change(&r)
		if err := s.check(t.Context(), view, &wire.QueryRequest{MinHeight: a.Height}, &r); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := s.check(t.Context(), view, &wire.QueryRequest{MinHeight: a.Height}, a.QueryReply); err != nil {
		t.Errorf("the true one: %v", err)
	}
}
