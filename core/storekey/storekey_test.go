package storekey

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The layout, written out. What enclaves have proven stands under these keys: a change is a change of the protocol.
func TestLayout(t *testing.T) {
	address := bytes.Repeat([]byte{0xad}, 32)
	a := hex.EncodeToString(address)
	const op = "706861316f70" // pha1op
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"network", Network(), "01"},
		{"policy", Policy(2), "02" + "00000002"},
		{"nonce", Nonce(0x0102), "03" + "0000000000000102"},
		{"collateral", CollateralKey(address), "04" + a},
		{"worker", WorkerKey("pha1op", 3), "02" + op + "00" + "00000003"},
		{"evidence", EvidenceKey("pha1op", 3), "03" + op + "00" + "00000003"},
		{"cluster", ClusterKey(7), "03" + "0000000000000007"},
		{"head", HeadKey(7), "04" + "0000000000000007"},
		{"inbox", InboxKey(7), "05" + "0000000000000007"},
		{"item", ItemKey(7, 9), "06" + "0000000000000007" + "0000000000000009"},
		{"batch", BatchKey(7, 9), "07" + "0000000000000007" + "0000000000000009"},
		{"code", CodeKey(address), "08" + a},
		{"contract", ContractKey(7, address), "0a" + "0000000000000007" + a},
		{"gatekeepers", GatekeeperSetKey(), "01"},
		{"cluster input key", ClusterInputKey(7), "02" + "0000000000000007"},
		{"key request", KeyRequestKey(7, "pha1op", 3), "03" + "0000000000000007" + op + "00" + "00000003"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestKeysShareNoMemory(t *testing.T) {
	id := make([]byte, 32, 64)
	a, b := CodeKey(id), CodeKey(append(id[:31], 1))
	if bytes.Equal(a, b) {
		t.Error("two keys are one")
	}
}
