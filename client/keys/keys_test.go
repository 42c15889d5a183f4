package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cosmos/btcutil/bech32"
)

const abandon = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

// Test vector 1 of BIP-32, chain m/0'/1/2'/2.
func TestDerive(t *testing.T) {
	seed, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	const hard = 1 << 31
	for _, v := range []struct {
		path []uint32
		want string
	}{
		{nil, "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"},
		{[]uint32{hard}, "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"},
		{[]uint32{hard, 1}, "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"},
		{[]uint32{hard, 1, 2 + hard}, "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca"},
	} {
		got, err := derive(seed, v.path...)
		if err != nil || hex.EncodeToString(got) != v.want {
			t.Errorf("%v: %x, %v", v.path, got, err)
		}
	}
}

// The same account as every Cosmos wallet makes of these words.
func TestFromMnemonic(t *testing.T) {
	k, err := FromMnemonic("  "+strings.ReplaceAll(abandon, " ", "\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, want, err := bech32.Decode("cosmos19rl4cm2hmr8afy4kldpxz3fka4jguq0auqdal4", 90)
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := bech32.Decode(k.Address(), 90)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("address %s", k.Address())
	}
	for _, bad := range []string{"", "abandon", strings.Replace(abandon, "about", "zoo", 1), strings.Replace(abandon, "about", "abouts", 1)} {
		if _, err := FromMnemonic(bad, 0); err == nil {
			t.Errorf("%q taken", bad)
		}
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	k, _ := FromMnemonic(abandon, 0)
	for _, s := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k)} {
		if strings.Contains(s, hex.EncodeToString(k.Bytes())) || strings.Contains(s, "private") {
			t.Fatal("a key printed itself")
		}
	}
}

func TestRing(t *testing.T) {
	for _, backend := range []string{BackendFile, BackendTest} {
		t.Run(backend, func(t *testing.T) {
			pass := []byte("right")
			r := &Ring{Dir: filepath.Join(t.TempDir(), "keys"), Backend: backend, Pass: func(bool) ([]byte, error) { return pass, nil }}
			k, _ := FromMnemonic(abandon, 3)
			if _, err := r.Add("alice", k); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Add("alice", k); !errors.Is(err, ErrExists) {
				t.Fatalf("added twice: %v", err)
			}
			got, err := r.Get("alice")
			if err != nil || !bytes.Equal(got.Bytes(), k.Bytes()) {
				t.Fatalf("got %v, %v", got, err)
			}
			path := filepath.Join(r.Dir, "alice"+suffix)
			st, err := os.Stat(path)
			if err != nil || st.Mode().Perm() != 0o600 {
				t.Fatalf("mode %v, %v", st.Mode(), err)
			}
			if list, err := r.List(); err != nil || len(list) != 1 || list[0].Address != k.Address() {
				t.Fatalf("%v, %v", list, err)
			}
			if backend == BackendFile {
				pass = []byte("wrong")
				if _, err := r.Get("alice"); !errors.Is(err, ErrPassphrase) {
					t.Fatalf("wrong passphrase: %v", err)
				}
			}
			if err := r.Delete("alice"); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Get("alice"); !errors.Is(err, ErrNotFound) {
				t.Fatalf("after delete: %v", err)
			}
			for _, bad := range []string{"", "../x", "a/b", ".hidden"} {
				if _, err := r.Add(bad, k); err == nil {
					t.Errorf("name %q taken", bad)
				}
			}
		})
	}
}
