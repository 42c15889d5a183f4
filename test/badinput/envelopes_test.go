package badinput

import (
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"testing"
	"time"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// sealByHand is seal.Seal without its care; it gives the secret of the reply.
func sealByHand(t *testing.T, key []byte, c seal.Context, aad, plain []byte, pad func([]byte) []byte) (*wire.Envelope, []byte) {
	t.Helper()
	pk, err := seal.PublicKey(key)
	check(t, err)
	info := binary.BigEndian.AppendUint32([]byte(c.Domain), uint32(len(c.ChainID)))
	info = append(info, c.ChainID...)
	for _, n := range []uint64{c.Cluster, c.Epoch, c.Roster} {
		info = binary.BigEndian.AppendUint64(info, n)
	}
	enc, sender, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	check(t, err)
	if pad == nil {
		pad = seal.Pad
	}
	ct, err := sender.Seal(aad, pad(plain))
	check(t, err)
	secret, err := sender.Export("phala/reply/v1", sha256.Size)
	check(t, err)
	return &wire.Envelope{Suite: seal.Suite, Enc: enc, Ciphertext: ct}, secret
}

// envelopes: what is sealed wrongly. The chain refuses what it can see; the rest takes its place in the inbox and fails.
func (w *world) envelopes() {
	say := []byte(`{"error":"` + hush + `"}`)
	other, err := w.alice.WaitCluster(w.ctx, 2)
	check(w.t, err)
	first := w.letter(w.alice, 1)
	first.msg = say
	before, err := w.send(first)
	check(w.t, err)
	if code := w.failure(w.alice, before); code != "contract-error" {
		w.t.Fatalf("the letter that is copied below: %q", code)
	}

	for _, row := range []struct {
		name  string
		by    *person
		spoil func(*letter)
		chain uint32 // the chain's code, or
		words string
		code  string // that of the result
	}{
		{"epoch 0", w.alice, func(l *letter) { l.epoch = 0 }, 8, "epoch 0 roster 1, cluster 1 has epoch 1 roster 1: seal it", ""},
		{"epoch 2", w.alice, func(l *letter) { l.epoch = 2 }, 8, "epoch 2 roster 1, cluster 1 has epoch 1 roster 1: seal it", ""},
		{"no such cluster", w.alice, func(l *letter) { l.cluster = 99 }, 5, "cluster 99", ""},
		{"no envelope", w.alice, func(l *letter) { l.spoil = func(m *clustertypes.MsgSubmitInput) { m.Sealed = nil } }, 10, "no envelope: seal", ""},
		{"another suite", w.alice, func(l *letter) { l.spoil = func(m *clustertypes.MsgSubmitInput) { m.Sealed.Suite = 2 } }, 10, "suite 2", ""},
		{"a truncated ciphertext", w.alice, func(l *letter) {
			l.spoil = func(m *clustertypes.MsgSubmitInput) { m.Sealed.Ciphertext = m.Sealed.Ciphertext[1:] }
		}, 10, "truncated or padded wrongly: seal", ""},
		{"a truncated key", w.alice, func(l *letter) { l.spoil = func(m *clustertypes.MsgSubmitInput) { m.Sealed.Enc = m.Sealed.Enc[1:] } }, 10, "1119 bytes", ""},
		{"padding to no class", w.alice, func(l *letter) { l.pad = func(b []byte) []byte { return append(seal.Pad(b), 0) } }, 10, "padded wrongly", ""},
		{"a gas class that is not", w.alice, func(l *letter) { l.spoil = func(m *clustertypes.MsgSubmitInput) { m.GasClass = 8 } }, 9, "0 to 7", ""},
		{"funds with a sign", w.alice, func(l *letter) { l.funds = "-5" }, 11, `"-5"`, ""},

		{"padding that is not zero", w.alice, func(l *letter) {
			l.pad = func(b []byte) []byte { p := seal.Pad(b); p[len(p)-1] = 1; return p }
		}, 0, "", "does-not-open"},
		{"padding that lies", w.alice, func(l *letter) {
			l.pad = func(b []byte) []byte { p := seal.Pad(b); p[0] = 0xff; return p }
		}, 0, "", "does-not-open"},
		{"sealed to another cluster's key", w.alice, func(l *letter) { l.key, l.context.Cluster = other.Key.InputKey, 2 }, 0, "", "does-not-open"},
		{"sealed for another cluster", w.alice, func(l *letter) { l.context.Cluster = 2 }, 0, "", "does-not-open"},
		{"sealed for epoch 2", w.alice, func(l *letter) { l.context.Epoch = 2 }, 0, "", "does-not-open"},
		{"sealed for another roster", w.alice, func(l *letter) { l.context.Roster = 7 }, 8, "newest input key", ""},
		{"sealed for another roster than it says", w.alice, func(l *letter) {
			roster := l.context.Roster
			l.context.Roster, l.spoil = 7, func(m *clustertypes.MsgSubmitInput) { m.Roster = roster }
		}, 0, "", "does-not-open"},
		{"sealed for another chain", w.alice, func(l *letter) { l.context.ChainID = "other-1" }, 0, "", "does-not-open"},
		{"sealed as a query", w.alice, func(l *letter) { l.context.Domain = seal.DomainQuery }, 0, "", "does-not-open"},
		{"more funds than were sealed", w.alice, func(l *letter) {
			l.spoil = func(m *clustertypes.MsgSubmitInput) { m.Funds = "1" }
		}, 0, "", "does-not-open"},
		{"another's envelope", w.bob, func(l *letter) { l.sealed = first.sealed }, 0, "", "does-not-open"},
		{"what is no call", w.alice, func(l *letter) { l.plain = []byte("\xff\xff" + hush) }, 0, "", "malformed"},
		{"an empty call", w.alice, func(l *letter) { l.plain = []byte{} }, 0, "", "malformed"},
		{"an instantiation as a call", w.alice, func(l *letter) {
			l.plain = wire.Marshal(&wire.Call{Body: &wire.Call_Instantiate{Instantiate: &wire.Instantiate{Msg: say}}})
		}, 0, "", "malformed"},
		{"a withdrawal of nothing", w.alice, func(l *letter) {
			l.plain = wire.Marshal(&wire.Call{Body: &wire.Call_Withdraw{Withdraw: &wire.Withdraw{Amount: "-1"}}})
		}, 0, "", "bad-amount"},
		{"a withdrawal of what is not there", w.bob, func(l *letter) {
			l.plain = wire.Marshal(&wire.Call{Body: &wire.Call_Withdraw{Withdraw: &wire.Withdraw{Amount: "999"}}})
		}, 0, "", "insufficient-funds"},
		{"no such contract", w.alice, func(l *letter) { l.to = w.echo2 }, 0, "", "no-such-contract"},
	} {
		w.row(row.name, func(w *world) {
			l := w.letter(row.by, 1)
			l.msg = say
			row.spoil(l)
			in, err := w.send(l)
			if row.chain != 0 {
				w.refused(err, row.chain, row.words)
				return
			}
			check(w.t, err)
			if code := w.failure(row.by, in); code != row.code {
				w.t.Errorf("%q, want %q", code, row.code)
			}
		})
	}

	w.row("a replay by its own sender", func(w *world) {
		l := w.letter(w.alice, 1)
		l.msg = []byte(emptyOK)
		in, err := w.send(l)
		check(w.t, err)
		if code := w.failure(w.alice, in); code != "" {
			w.t.Fatalf("the first time: %s", code)
		}
		again := w.letter(w.alice, 1)
		again.sealed, again.secret = l.sealed, l.secret
		in, err = w.send(again)
		check(w.t, err)
		if code := w.failure(w.alice, in); code != "replay" {
			w.t.Errorf("the second time: %q", code)
		}
	})

	w.row("the funds of a call that fails", func(w *world) {
		l := w.letter(w.bob, 1)
		l.msg, l.funds = say, "777"
		had := w.balance(w.bob)
		in, err := w.send(l)
		check(w.t, err)
		if code := w.failure(w.bob, in); code != "contract-error" {
			w.t.Errorf("code %q", code)
		}
		if w.balance(w.bob) == had {
			w.t.Error("no funds were taken: the row shows nothing")
		}
		w.withdraw(w.bob, 1, "777")
	})
	w.row("the funds of one that does not open", func(w *world) {
		l := w.letter(w.bob, 1)
		l.funds, l.context.Cluster = "555", 2
		in, err := w.send(l)
		check(w.t, err)
		if code := w.failure(w.bob, in); code != "does-not-open" {
			w.t.Errorf("code %q", code)
		}
		w.withdraw(w.bob, 1, "555")
	})
}

// withdraw gets back what an account has in a cluster, and sees it arrive.
func (w *world) withdraw(p *person, cluster uint64, amount string) {
	w.t.Helper()
	had := w.balance(p)
	l := w.letter(p, cluster)
	l.plain = wire.Marshal(&wire.Call{Body: &wire.Call_Withdraw{Withdraw: &wire.Withdraw{Amount: amount}}})
	in, err := w.send(l)
	check(w.t, err)
	if code := w.failure(p, in); code != "" {
		w.t.Fatalf("withdrawing: %s", code)
	}
	want := add(w.t, add(w.t, had, amount), "-1000000000") // the fee of gas class 0
	for end := time.Now().Add(15 * time.Second); w.balance(p) != want; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("after the withdrawal of %s: %s, before it %s", amount, w.balance(p), had)
		}
	}
}

func add(t *testing.T, a, b string) string {
	t.Helper()
	x, ok := new(big.Int).SetString(a, 10)
	y, also := new(big.Int).SetString(b, 10)
	if !ok || !also {
		t.Fatalf("no numbers: %q, %q", a, b)
	}
	return x.Add(x, y).String()
}

// row is one row of the table.
func (w *world) row(name string, do func(*world)) {
	w.t.Helper()
	w.t.Run(name, func(t *testing.T) {
		v := *w
		v.t = t
		do(&v)
	})
}
