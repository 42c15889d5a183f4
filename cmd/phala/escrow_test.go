package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/wire"
)

// phala runs the program with what stands in a folder.
func phala(t *testing.T, want int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := run(context.Background(), append([]string{"--home", t.TempDir()}, args...), strings.NewReader(""), &o, &e); code != want {
		t.Fatalf("%q: exit %d, want %d\n%s%s", args, code, want, o.String(), e.String())
	}
	return o.String(), e.String()
}

func TestCustodiansKeyAndTerms(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var args []string
	for _, name := range []string{"anna", "bert", "cleo"} {
		phala(t, 0, "escrow", "key", name, "--file", at(name+".key"), "--record", at(name+".json"))
		args = append(args, "--custodian", at(name+".json"))
	}
	info, err := os.Stat(at("anna.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, _ := phala(t, 0, "escrow", "key", "anna", "--file", at("anna.key"))
	record, err := os.ReadFile(at("anna.json"))
	if err != nil || again != string(record) {
		t.Errorf("the key's record is\n%sthen\n%s", record, again)
	}
	if seed, _ := os.ReadFile(at("anna.key")); bytes.Contains(record, seed) || strings.Contains(again, "seed") {
		t.Error("the record tells the key")
	}

	_, errs := phala(t, 1, append([]string{"escrow", "terms", "1", "--threshold", "1"}, args...)...)
	if !strings.Contains(errs, "at least 2") {
		t.Error(errs)
	}
	out, _ := phala(t, 0, append([]string{"escrow", "terms", "1", "--threshold", "2", "--file", at("terms.json")}, args...)...)
	terms, err := readTerms(at("terms.json"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if terms.Threshold != 2 || strings.Join(custodians(terms), " ") != "anna bert cleo" {
		t.Errorf("%v", terms)
	}
	for _, part := range []string{"any 2 of these 3 custodians", "fewer than 2 read nothing", "anna", "cleo"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in %s", part, out)
		}
	}
	machine, _ := phala(t, 0, append([]string{"escrow", "terms", "1", "-o", "json", "--threshold", "2", "--file", at("terms.json")}, args...)...)
	var said map[string]string
	if err := json.Unmarshal([]byte(machine), &said); err != nil || len(said["sha256"]) != 64 {
		t.Errorf("%s, %v", machine, err)
	}
	if _, err := readTerms(at("terms.json"), 2); err == nil {
		t.Error("terms of another cluster are taken")
	}

	// What is no key, or is seen by others, is refused with the next step.
	if err := os.Chmod(at("anna.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs := phala(t, 1, "escrow", "key", "anna", "--file", at("anna.key")); !strings.Contains(errs, "chmod 600") {
		t.Error(errs)
	}
	for name, content := range map[string]string{
		"a record": string(record), "nothing": "", "more": `{"what":"` + custodianWhat + `","seed":"00"} x`,
		"short": `{"what":"` + custodianWhat + `","seed":"00"}`, "another": `{"what":"key","seed":"` + strings.Repeat("00", 32) + `"}`,
	} {
		if err := os.WriteFile(at("bad.key"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readCustodian(at("bad.key")); err == nil {
			t.Errorf("%s is taken for a key", name)
		}
	}
	if _, errs := phala(t, 2, "escrow", "consent", "1"); !strings.Contains(errs, "--withdraw") {
		t.Error(errs)
	}
	if _, errs := phala(t, 2, "escrow", "propose", "1", "--end", "--terms", at("terms.json")); !strings.Contains(errs, "either") {
		t.Error(errs)
	}
}

func TestEscrowProposal(t *testing.T) {
	terms := &wire.EscrowTerms{Cluster: 3, Threshold: 2}
	for i, name := range []string{"anna", "bert"} {
		k, err := escrow.NewKey(bytes.Repeat([]byte{byte(i)}, escrow.SeedSize))
		if err != nil {
			t.Fatal(err)
		}
		terms.Custodians = append(terms.Custodians, k.Custodian(name))
	}
	b, err := json.Marshal(escrowProposal(terms, "title", minDeposit))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"@type":"/phala.cluster.v1.MsgSetEscrow"`, `"authority":"pha10d07y265gmmuvt4z0w9aw880jnsr700j`, `"cluster":"3"`, `"threshold":2`, `"name":"bert"`, "2 of 2 custodians together can read the state of cluster 3: anna, bert"} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
	if b, err = json.Marshal(escrowProposal(&wire.EscrowTerms{Cluster: 3}, "title", minDeposit)); err != nil || !strings.Contains(string(b), `"custodians":[]`) {
		t.Errorf("%s, %v", b, err)
	}
}

// two of three, one deal, and a request that anna has answered.
func vault() *client.Escrow {
	s := &client.Escrow{
		Height: 100, Cluster: &wire.Cluster{Id: 1, Owner: "pha1owner", EscrowConsent: bytes.Repeat([]byte{0xab}, 32)},
		Record: &wire.KeyEscrow{Terms: &wire.EscrowTerms{Cluster: 1, Threshold: 2, Custodians: []*wire.Custodian{{Name: "anna"}, {Name: "bert"}, {Name: "cleo"}}}, ApprovedHeight: 20, FromHeight: 60},
		Deals:  []*client.Dealt{{Number: 0, Deal: &wire.EscrowDeal{Cluster: 1, Epoch: 2, Roster: 1, Worker: &wire.WorkerRef{Operator: "pha1op", Slot: 1}, Height: 61}}},
	}
	s.Requests = []*client.EscrowAsk{{
		Request:  &wire.EscrowRequest{Worker: &wire.WorkerRef{Operator: "pha1op"}, Height: 90},
		Worker:   &wire.Worker{Kind: wire.TEE_KIND_TDX, Measurement: []byte{1, 2}, RegisteredHeight: 88},
		Answered: map[client.EscrowSlot]bool{{Deal: 0, Custodian: 0}: true},
	}}
	return s
}

func TestEscrowShowReads(t *testing.T) {
	text := func(s *client.Escrow) string {
		var b strings.Builder
		viewEscrow(s).text(&b)
		return b.String()
	}
	const want = `cluster 1 of pha1owner
  escrow      any 2 of 3 custodians together read its state, approved in block 20, in force since block 60
  custodians  anna, bert, cleo
  dealt       key of epoch 2 roster 1, number 0, by pha1op/1 in block 61
  asked       by pha1op/0 in block 90, answered by anna
  proven against block 100
`
	if got := text(vault()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for line, change := range map[string]func(*client.Escrow){
		"in force in 900 blocks, from block 1000": func(s *client.Escrow) { s.Record.FromHeight = 1000 },
		"nothing is dealt yet":                    func(s *client.Escrow) { s.Deals = nil },
		"answered by nobody; nobody may answer it: it was removed\n": func(s *client.Escrow) {
			s.Requests[0].Answered, s.Requests[0].Refused = nil, errors.New("it was removed")
		},
		"no escrow: the owner consents to terms abababababababab…": func(s *client.Escrow) { s.Record = nil; s.Deals, s.Requests = nil, nil },
	} {
		s := vault()
		change(s)
		if got := text(s); !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	b, err := json.Marshal(viewEscrow(vault()))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"in_force":true`, `"dealt_by":"pha1op/1"`, `"answered_by":["anna"]`, `"kind":"tdx"`, `"proven_height":100`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
}

// Nothing is released without a person's word, or --yes.
func TestReleaseIsConfirmed(t *testing.T) {
	e := &env{in: strings.NewReader("yes\n")}
	if err := e.confirm(false); err == nil {
		t.Error("what is piped in counts as a person's yes")
	}
	if err := e.confirm(true); err != nil {
		t.Error(err)
	}
	s := vault()
	v := openView{Cluster: 1, Failed: []string{"a deal does not open"}, Released: []releaseView{{viewAsk(s, s.Requests[0]), 2, 1, 0, 0}}, Proven: 100}
	var b strings.Builder
	v.ask(&b)
	for _, part := range []string{"goes to  pha1op/0", "asked in block 90", "tdx 0102", "before you anna", "not possible: a deal does not open"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %q in\n%s", part, b.String())
		}
	}
}
