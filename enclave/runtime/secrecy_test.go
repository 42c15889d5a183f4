package runtime_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/enclavetest/script"
)

// hidden is what a trace hides: one call's contract, of four, and message.
type hidden struct {
	contract int
	msg      string
}

// seen is what a host has of a trace: what its enclave said, by kind and size, and the ciphertexts it was given to keep.
type seen struct {
	log  []string
	kept []byte
}

// trace runs rounds of calls in a cluster of three, restarts a member, which then reads what was kept, and runs the first round again.
func trace(t *testing.T, rounds [][]hidden) (hosts []seen) {
	t.Helper()
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	code := n.Upload(script.Contract())
	var contracts [][]byte
	for range 4 {
		s := u.Instantiate(code, wire.QUERY_POLICY_OPEN, script.OK)
		n.Blocks(4)
		contracts = append(contracts, s.Item.Address)
	}
	for i, calls := range append(rounds, rounds[0]) {
		if i == len(rounds) {
			n.Members[2].Restart()
			n.Blocks(8)
		}
		for _, c := range calls {
			u.Execute(contracts[c.contract], c.msg, "", "")
		}
		n.Blocks(5)
	}
	if want := uint64(4 + len(rounds) + 1); n.Chain.Head(n.Cluster).Number != want {
		t.Fatalf("batch %d, want %d: %v", n.Chain.Head(n.Cluster).Number, want, n.Failures())
	}
	for _, x := range n.Members {
		var s seen
		for _, o := range x.Outs {
			s.log = append(s.log, fmt.Sprintf("%T %d", o.Body, o.Size()))
			switch b := o.Body.(type) {
			case *wire.Out_Record:
				s.kept = append(s.kept, b.Record.Ciphertext...)
			case *wire.Out_Chunk:
				s.kept = append(s.kept, b.Chunk.Ciphertext...)
			}
		}
		hosts = append(hosts, s)
	}
	return hosts
}

// telling is a message that succeeds and says text.
func telling(text string) string {
	return `{"ok":{"messages":[],"attributes":[{"key":"text","value":"` + text + `"}],"events":[],"data":null}}`
}

// rounds makes three rounds of two calls, each of what draw gives.
func rounds(draw func() hidden) (out [][]hidden) {
	for range 3 {
		out = append(out, []hidden{draw(), draw()})
	}
	return out
}

// differ says where hosts of a trace saw something else than those of another; "": nowhere.
func differ(want, got []seen) string {
	for i := range want {
		a, b := want[i].log, got[i].log
		at := 0
		for at < min(len(a), len(b)) && a[at] == b[at] {
			at++
		}
		if at < max(len(a), len(b)) {
			return fmt.Sprintf("host %d sees %d things, not %d; from %d on %s, not %s", i, len(b), len(a), at,
				strings.Join(b[at:min(at+3, len(b))], ", "), strings.Join(a[at:min(at+3, len(a))], ", "))
		}
	}
	return ""
}

// P10: traces over one key and one value, and over keys and values drawn by lot, are of one shape to every host, sealed log, snapshots and
// what a restarted member reads of them included. The ciphertexts that the two kinds leave are no more unlike than chance makes them.
func TestP10_TracesOverOtherKeysLookTheSame(t *testing.T) {
	lot := rand.New(rand.NewPCG(10, 10))
	still := func() hidden { return hidden{0, telling("aaaaaaaaaaaaaaaa")} }
	moving := func() hidden {
		return hidden{lot.IntN(4), telling(fmt.Sprintf("%016x", lot.Uint64()))}
	}
	want := trace(t, rounds(still))
	kept := [2][]byte{}
	for i := range 8 {
		name, of := "over one key", still
		if i%2 == 1 {
			name, of = "over any keys", moving
		}
		got := trace(t, rounds(of))
		if d := differ(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for _, s := range got {
			kept[i%2] = append(kept[i%2], s.kept...)
		}
	}
	if differ(want, trace(t, rounds(func() hidden { return hidden{0, telling(strings.Repeat("a", 5000))} }))) == "" {
		t.Error("changes of another class are not seen: this test sees nothing")
	}
	if len(kept[0]) < 100_000 || len(kept[0]) != len(kept[1]) {
		t.Fatalf("the hosts keep %d and %d bytes", len(kept[0]), len(kept[1]))
	}
	// Two samples of 256 sorts of bytes: chi-square with 255 degrees of freedom, mean 255, deviation √510; six deviations are one chance in 10⁹.
	if x := unlike(kept[0], kept[1]); x > 255+6*22.6 {
		t.Errorf("the bytes kept of the two kinds differ: chi-square %.0f", x)
	}
	if x := unlike(kept[0], []byte(strings.Repeat("sealed with nothing", len(kept[0])/19))); x < 255+6*22.6 {
		t.Errorf("plain text passes for a ciphertext: chi-square %.0f", x)
	}
}

// unlike is the two-sample chi-square statistic of the bytes in a and b.
func unlike(a, b []byte) (x float64) {
	var of [2][256]float64
	for _, c := range a {
		of[0][c]++
	}
	for _, c := range b {
		of[1][c]++
	}
	na, nb := float64(len(a)), float64(len(b))
	for c := range 256 {
		if sum := of[0][c] + of[1][c]; sum > 0 {
			d := of[0][c]*nb - of[1][c]*na
			x += d * d / (na * nb * sum)
		}
	}
	return x
}

// P11: whatever a call of one size comes to, hosts see the same, and so does the chain, whose batches are part of it: a success, a contract's
// refusal, a trap, a message to nobody, a payment without the money.
func TestP11_WhateverCallsComeToLooksTheSame(t *testing.T) {
	pad := func(msg string) string { return msg + strings.Repeat(" ", 220-len(msg)) }
	as := func(msg string) func() hidden { return func() hidden { return hidden{1, pad(msg)} } }
	want := trace(t, rounds(as(telling("fine"))))
	for name, msg := range map[string]string{
		"an error":         `{"error":"you may not know whether this account exists"}`,
		"another error":    `{"error":"no"}`,
		"a long answer":    telling(strings.Repeat("a", 100)),
		"garbage, a trap":  `{"ok":{]`,
		"a false address":  `{"ok":{"messages":[{"id":0,"msg":{"wasm":{"execute":{"contract_addr":"pha1none","msg":"e30=","funds":[]}}},"gas_limit":null,"reply_on":"never"}],"attributes":[],"events":[],"data":null}}`,
		"money it has not": `{"ok":{"messages":[{"id":0,"msg":{"bank":{"send":{"to_address":"pha1none","amount":[{"denom":"ppha","amount":"3"}]}}},"gas_limit":null,"reply_on":"never"}],"attributes":[],"events":[],"data":null}}`,
	} {
		if len(msg) > 220 {
			t.Fatalf("%s: a message of %d bytes", name, len(msg))
		}
		if d := differ(want, trace(t, rounds(as(msg)))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
