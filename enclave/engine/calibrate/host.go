package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/cloudflare/circl/ecc/bls12381"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	k1 "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/enclave/engine"
)

// largeKey is where a value of 200 kB stands.
const largeKey = "large, to be read"

// keys is how many keys of eight bytes the state holds, in its store.
const keys = 1 << 16

// hosted are loops that do little but call one function of the host.
func hosted() (map[string]*contract, error) {
	out := map[string]*contract{}
	sized := func(turns int, name string, arguments ...[]byte) {
		c := &contract{turns: turns}
		var at []uint32
		for _, a := range arguments {
			at = append(at, c.region(a, 256))
		}
		c.body = c.host(name, at...)
		out[name] = c
	}
	person := address.Encode(make([]byte, 20))
	sized(5000, "debug", nil)
	sized(1000, "addr_validate", []byte(person))
	sized(1000, "addr_canonicalize", []byte(person), nil)
	sized(1000, "addr_humanize", make([]byte, 20), nil)
	sized(50, "query_chain", []byte(`{"wasm":{"smart":{"contract_addr":"`+person+`","msg":"e30="}}}`))
	sized(500, "random", nil)
	sized(1000, "emit_private", []byte(person), []byte("a word"))

	hash := sha256.Sum256([]byte("calibrate"))
	for curve, name := range map[uint32]string{1: "secp256k1", 2: "ed25519"} {
		c := &contract{turns: 40}
		path, to, message := c.region([]byte("a/path"), 0), c.region(nil, 256), c.region(hash[:], 0)
		c.body = c.host("derive_public_key", path, curve, to)
		out["derive_public_key, "+name] = c
		s := &contract{turns: 40, data: bytes.Clone(c.data)}
		s.body = s.host("sign", path, curve, message, to)
		out["sign, "+name] = s
	}
	stored(out)
	return out, errors.Join(signed(sized, out, hash[:]), paired(sized, out))
}

// stored are those that work on the state. Keys change from turn to turn.
func stored(out map[string]*contract) {
	step := func(c *contract) (key uint32, change []byte) {
		key = c.region(make([]byte, 8), 0)
		// A walk through all keys in an order that no cache foresees.
		return key, cat(number(key+12), get(num), number(40503), []byte{0x6a}, number(keys-1), []byte{0x71}, tee(num), []byte{0x36, 2, 0})
	}
	for name, put := range map[string]func(c *contract, key uint32) []byte{
		"db_read":  func(c *contract, key uint32) []byte { return c.host("db_read", key) },
		"db_write": func(c *contract, key uint32) []byte { return c.host("db_write", key, c.region(make([]byte, 64), 0)) },
		"db_remove": func(c *contract, key uint32) []byte {
			return c.host("db_remove", key)
		},
		"db_scan": func(c *contract, key uint32) []byte { return c.host("db_scan", key, 0, 1) },
	} {
		c := &contract{turns: 1000}
		key, change := step(c)
		c.body = cat(change, put(c, key))
		out[name] = c
	}
	c := &contract{turns: 4000}
	next := c.host("db_next", 1)
	// The first turn opens what the others walk through.
	c.body = cat(get(num), []byte{0x45, 0x04, 0x40}, c.host("db_scan", 0, 0, 1), number(1), set(num), []byte{0x0b}, next)
	out["db_next"] = c
	large := &contract{turns: 100}
	large.body = large.host("db_write", large.region([]byte("large"), 0), large.region(make([]byte, 200<<10), 0))
	out["db_write of 200 kB"] = large
	copied := &contract{turns: 200}
	copied.body = copied.host("db_read", copied.region([]byte(largeKey), 0))
	out["db_read of 200 kB"] = copied
}

// signed are the checks of signatures.
func signed(sized func(int, string, ...[]byte), out map[string]*contract, hash []byte) error {
	private := secp256k1.PrivKeyFromBytes(hash)
	compact := k1.SignCompact(private, hash, false)
	sized(40, "secp256k1_verify", hash, compact[1:], private.PubKey().SerializeCompressed())
	recovering := func(name string, signature []byte, v uint32) {
		c := &contract{turns: 40}
		c.body = c.host(name, c.region(hash, 0), c.region(signature, 0), v)
		out[name] = c
	}
	recovering("secp256k1_recover_pubkey", compact[1:], uint32(compact[0]-27))
	p256, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), hash)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	r, s, err := ecdsa.Sign(rand.Reader, p256, hash)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	if high := new(big.Int).Rsh(elliptic.P256().Params().N, 1); s.Cmp(high) > 0 { // CosmWasm wants the lower half
		s.Sub(elliptic.P256().Params().N, s)
	}
	public, err := p256.PublicKey.Bytes()
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	sized(40, "secp256r1_verify", hash, signature, public)
	recovering("secp256r1_recover_pubkey", signature, 0)

	edwards := ed25519.NewKeyFromSeed(hash)
	key := []byte(edwards[32:])
	sized(40, "ed25519_verify", hash, ed25519.Sign(edwards, hash), key)
	long := make([]byte, 64<<10)
	c := &contract{turns: 20}
	c.body = c.host("ed25519_verify", c.region(long, 0), c.region(ed25519.Sign(edwards, long), 0), c.region(key, 0))
	out["ed25519_verify of 64 KiB"] = c
	section := func(b []byte, n int) []byte {
		return bytes.Repeat(binary.BigEndian.AppendUint32(bytes.Clone(b), uint32(len(b))), n)
	}
	sized(3, "ed25519_batch_verify", section(hash, 16), section(ed25519.Sign(edwards, hash), 16), section(key, 16))
	return nil
}

// paired are the functions on BLS12-381.
func paired(sized func(int, string, ...[]byte), out map[string]*contract) error {
	g1, g2 := bls12381.G1Generator().BytesCompressed(), bls12381.G2Generator().BytesCompressed()
	sized(4, "bls12_381_aggregate_g1", bytes.Repeat(g1, 32), nil)
	sized(4, "bls12_381_aggregate_g2", bytes.Repeat(g2, 32), nil)
	sized(2, "bls12_381_pairing_equality", bytes.Repeat(g1, 2), bytes.Repeat(g2, 2), g1, g2)
	for _, name := range []string{"bls12_381_hash_to_g1", "bls12_381_hash_to_g2"} {
		c := &contract{turns: 20}
		c.body = c.host(name, 0, c.region([]byte("message"), 0), c.region([]byte("calibrate"), 0), c.region(nil, 256))
		out[name] = c
	}
	return nil
}

// answering answers queries as the world of contracts does: it reads the
// request and runs another contract, whose gas counts too.
type answering struct {
	engine *engine.Engine
	other  *engine.Contract
	store  engine.Store
}

func (a answering) Query(request []byte, _ uint64) ([]byte, uint64, error) {
	var kinds map[string]json.RawMessage
	var asked struct {
		Wasm struct {
			Smart struct {
				Contract string `json:"contract_addr"`
				Msg      []byte `json:"msg"`
			} `json:"smart"`
		} `json:"wasm"`
	}
	if err := errors.Join(json.Unmarshal(request, &kinds), json.Unmarshal(request, &asked)); err != nil {
		return nil, 0, fmt.Errorf("reading a request: %w", err)
	}
	used, err := call(a.engine, a.other, engine.Call{Entry: engine.Query, Msg: asked.Wasm.Smart.Msg, Store: a.store})
	if err != nil {
		return nil, 0, fmt.Errorf("asking: %w", err)
	}
	b, err := json.Marshal(map[string]any{"ok": map[string]any{"ok": []byte("{}")}})
	return b, used, err
}
