package badinput

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/keys"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// contracts: what contracts do wrong stays theirs; the state is as it was before the call.
func (w *world) contracts() {
	fresh := w.deploy(w.alice, 1, enclavetest.Echo(), emptyOK, wire.QUERY_POLICY_SELF)
	for _, row := range []struct {
		name, to, code string
		msg            []byte
	}{
		{"it traps", w.villain, "contract-trap", villainMsg(lenTrap)},
		{"it wants all memory", w.villain, "out-of-gas", villainMsg(lenHog)},
		{"it answers nonsense", fresh, "contract-trap", []byte(hush)},
		{"it refuses", fresh, "contract-error", []byte(`{"error":"` + hush + `"}`)},
		{"it sends a message that nobody carries out", fresh, "unsupported-message",
			[]byte(`{"ok":{"messages":[{"id":0,"msg":{"staking":{"delegate":{"validator":"v","amount":{"denom":"ppha","amount":"1"}}}},"gas_limit":null,"reply_on":"never"}],"attributes":[],"events":[],"data":null}}`)},
		{"it pays what it does not have", fresh, "contract-funds",
			[]byte(`{"ok":{"messages":[{"id":0,"msg":{"bank":{"send":{"to_address":"` + w.bob.Address() + `","amount":[{"denom":"ppha","amount":"12"}]}}},"gas_limit":null,"reply_on":"never"}],"attributes":[],"events":[],"data":null}}`)},
		{"it loops for ever", w.villain, "out-of-gas", villainMsg(lenLoop)},
	} {
		w.row(row.name, func(w *world) {
			began := time.Now()
			in, err := w.alice.SubmitCall(w.ctx, client.Call{Cluster: 1, Contract: row.to, Msg: row.msg})
			check(w.t, err)
			if code := w.failure(w.alice, in); code != row.code {
				w.t.Errorf("%q, want %q", code, row.code)
			}
			if took := time.Since(began); took > 30*time.Second {
				w.t.Errorf("it took %s", took)
			}
			if row.to == fresh {
				if got := w.ask(w.alice, fresh); got != "1" {
					w.t.Errorf("the state has changed: %s", got)
				}
			}
		})
	}
	if !w.t.Failed() {
		w.good(1, fresh)
		if got := w.ask(w.alice, fresh); got != "2" {
			w.t.Errorf("after a good call: %s", got)
		}
	}

	w.row("an instantiation that fails inside", func(w *world) {
		home := w.cliHome(nil)
		wasm := filepath.Join(home, "echo.wasm")
		check(w.t, os.WriteFile(wasm, enclavetest.Echo(), 0o600))
		out, code := program(w.t, "phala", "--home", home, "-o", "json", "contract", "deploy", wasm, "--init", `{"error":"`+hush+`"}`, "--from", "alice")
		if code != 4 || !strings.Contains(out, hush) || !strings.Contains(out, "contract-error") {
			w.t.Fatalf("exit %d: %s", code, out)
		}
		var res struct {
			Contract string `json:"contract"`
			Input    uint64 `json:"input"`
		}
		check(w.t, json.NewDecoder(strings.NewReader(out)).Decode(&res))
		addr, err := address.Decode(res.Contract)
		check(w.t, err)
		for end := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			c, err := w.bob.Contract(w.ctx, 1, addr)
			check(w.t, err)
			if c != nil && c.State == wire.CONTRACT_STATE_FAILED {
				break
			}
			if time.Now().After(end) {
				w.t.Fatalf("the chain does not show that it failed: %v", c)
			}
		}
		if out, code := program(w.t, "phala", "--home", home, "-o", "json", "result", strconv.FormatUint(res.Input, 10)); code != 4 || !strings.Contains(out, hush) {
			w.t.Errorf("its result: exit %d: %s", code, out)
		}
		in, err := w.bob.SubmitCall(w.ctx, client.Call{Cluster: 1, Contract: res.Contract, Msg: []byte(emptyOK)})
		check(w.t, err)
		if code := w.failure(w.bob, in); code != "no-such-contract" {
			w.t.Errorf("a call of it: %q", code)
		}
	})
}

// code: what is uploaded.
func (w *world) code() {
	noise := make([]byte, codepack.MaxPacked)
	for i := 0; i < len(noise); i += sha256.Size {
		h := sha256.Sum256([]byte(strconv.Itoa(i)))
		copy(noise[i:], h[:])
	}
	module := append([]byte("\x00asm\x01\x00\x00\x00"), "not more"...)
	pack := func(b []byte) []byte { return squeeze(w.t, b) }
	for _, row := range []struct {
		name   string
		packed []byte
		words  string
	}{
		{"what is no gzip", module, "invalid header: pack"},
		{"what is no WASM", pack([]byte("#!/bin/sh " + hush[:4])), "do not begin with \\0asm: build"},
		{"nothing", pack(nil), "nothing inside"},
		{"one cut short", pack(module)[:20], "unexpected EOF"},
		{"one with something behind it", append(pack(module), 0), "1 bytes trail the gzip member"},
		{"two in one", append(pack(module), pack(module)...), "trail the gzip member"},
		{"a bomb", pack(make([]byte, 64<<20)), "more than 8388608 bytes inside"},
		{"one too large inside", pack(append(module, make([]byte, codepack.MaxUnpacked)...)), "more than 8388608 bytes inside"},
	} {
		w.row(row.name, func(w *world) {
			_, err := w.bob.account.Send(w.ctx, &clustertypes.MsgUploadCode{Sender: w.bob.Address(), Packed: row.packed})
			w.refused(err, 6, row.words)
		})
	}
	w.row("one too large packed", func(w *world) {
		if _, _, err := w.bob.UploadCode(w.ctx, append(bytes.Clone(module), noise...)); err == nil || !strings.Contains(err.Error(), "at most 2097152 are allowed") {
			w.t.Errorf("the SDK: %v", err)
		}
		_, err := w.bob.account.Send(w.ctx, &clustertypes.MsgUploadCode{Sender: w.bob.Address(), Packed: append(bytes.Clone(noise), 1)})
		w.refused(err, 6, "at most 2097152 are allowed")
	})
	w.row("what only begins as WASM", func(w *world) {
		id, _, err := w.bob.UploadCode(w.ctx, module)
		check(w.t, err)
		in, err := w.bob.Instantiate(w.ctx, client.Instantiation{Cluster: 1, CodeID: id, Msg: []byte(`"` + hush + `"`)})
		check(w.t, err)
		if code := w.failure(w.bob, in); code != "bad-code" {
			w.t.Errorf("%q", code)
		}
	})
	w.row("code that is not there", func(w *world) {
		_, err := w.bob.Instantiate(w.ctx, client.Instantiation{Cluster: 1, CodeID: make([]byte, 32), Msg: []byte("{}")})
		w.refused(err, 7, "upload it first")
	})
	w.row("the command line", func(w *world) {
		home := w.cliHome(nil)
		file := filepath.Join(home, "x.wasm")
		check(w.t, os.WriteFile(file, []byte("#!/bin/sh"), 0o600))
		out, code := program(w.t, "phala", "--home", home, "contract", "deploy", file, "--from", "alice")
		if code != 1 || !strings.Contains(out, "is no WebAssembly module") || !strings.Contains(out, "next:") {
			w.t.Errorf("exit %d: %s", code, out)
		}
	})
}

func squeeze(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	check(t, err)
	check(t, z.Close())
	return out.Bytes()
}

// cliHome is a home of the command line with the keys of alice and bob; change spoils its configuration.
func (w *world) cliHome(change func(map[string]any)) string {
	w.t.Helper()
	home := w.t.TempDir()
	conf := map[string]any{"rpc": w.net.RPC, "genesis": w.net.Genesis, "keyring": "test"}
	if change != nil {
		change(conf)
	}
	b, err := json.Marshal(conf)
	check(w.t, err)
	check(w.t, os.WriteFile(filepath.Join(home, "config.json"), b, 0o600))
	ring := &keys.Ring{Dir: filepath.Join(home, "keys"), Backend: keys.BackendTest}
	for name, p := range map[string]*person{"alice": w.alice, "bob": w.bob} {
		_, err := ring.Add(name, p.key)
		check(w.t, err)
	}
	return home
}
