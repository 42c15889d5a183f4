package cosmostx_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	bankv1beta1 "cosmossdk.io/api/cosmos/bank/v1beta1"
	basev1beta1 "cosmossdk.io/api/cosmos/base/v1beta1"
	"cosmossdk.io/api/cosmos/crypto/secp256k1"
	signingv1beta1 "cosmossdk.io/api/cosmos/tx/signing/v1beta1"
	txv1beta1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	dsecp "github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/cosmostx"
)

func key(t *testing.T) *cosmostx.Key {
	t.Helper()
	k, err := cosmostx.ParseKey(strings.Repeat("11", 32) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packed(t *testing.T, url string, m proto.Message) *anypb.Any {
	return &anypb.Any{TypeUrl: url, Value: marshal(t, m)}
}

// The encoding is byte for byte that of the SDK's own generated messages, and the signature is over its sign document.
func TestSignMatchesGeneratedTypes(t *testing.T) {
	k := key(t)
	to := "pha1zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3aaaaaa"
	for _, p := range []cosmostx.Params{
		{ChainID: "phala-dev-1", AccountNumber: 7, Sequence: 300, GasLimit: 1_000_000, Fee: "12345678901234567890123", Memo: "hello"},
		{ChainID: "c", GasLimit: 1},
		{ChainID: "c", GasLimit: 1, Fee: "0"},
	} {
		p.Msgs = []cosmostx.Msg{cosmostx.Send(k.Address(), to, "5"), cosmostx.Send(k.Address(), to, "60000000000000000000")}
		got := cosmostx.Sign(p, k)

		body := &txv1beta1.TxBody{Memo: p.Memo}
		for _, amount := range []string{"5", "60000000000000000000"} {
			body.Messages = append(body.Messages, packed(t, "/cosmos.bank.v1beta1.MsgSend", &bankv1beta1.MsgSend{
				FromAddress: k.Address(), ToAddress: to, Amount: []*basev1beta1.Coin{{Denom: "ppha", Amount: amount}},
			}))
		}
		auth := &txv1beta1.AuthInfo{
			SignerInfos: []*txv1beta1.SignerInfo{{
				PublicKey: packed(t, "/cosmos.crypto.secp256k1.PubKey", &secp256k1.PubKey{Key: k.PubKey()}),
				ModeInfo:  &txv1beta1.ModeInfo{Sum: &txv1beta1.ModeInfo_Single_{Single: &txv1beta1.ModeInfo_Single{Mode: signingv1beta1.SignMode_SIGN_MODE_DIRECT}}},
				Sequence:  p.Sequence,
			}},
			Fee: &txv1beta1.Fee{GasLimit: p.GasLimit},
		}
		if p.Fee != "" && p.Fee != "0" {
			auth.Fee.Amount = []*basev1beta1.Coin{{Denom: "ppha", Amount: p.Fee}}
		}
		doc := marshal(t, &txv1beta1.SignDoc{BodyBytes: marshal(t, body), AuthInfoBytes: marshal(t, auth), ChainId: p.ChainID, AccountNumber: p.AccountNumber})
		want := marshal(t, &txv1beta1.TxRaw{BodyBytes: marshal(t, body), AuthInfoBytes: marshal(t, auth), Signatures: [][]byte{k.Sign(doc)}})
		if !bytes.Equal(got, want) {
			t.Errorf("got  %x\nwant %x", got, want)
		}
	}
}

func TestSignatureVerifies(t *testing.T) {
	k := key(t)
	sig := k.Sign([]byte("doc"))
	var r, s dsecp.ModNScalar
	r.SetByteSlice(sig[:32])
	s.SetByteSlice(sig[32:])
	pub, err := dsecp.ParsePubKey(k.PubKey())
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256([]byte("doc"))
	if len(sig) != 64 || !ecdsa.NewSignature(&r, &s).Verify(h[:], pub) || s.IsOverHalfOrder() {
		t.Errorf("signature %x", sig)
	}
}

func TestMsgOf(t *testing.T) {
	m, err := cosmostx.MsgOf(&workertypes.MsgUnregisterWorker{Operator: "pha1", Slot: 1})
	if err != nil || m.TypeURL != "/phala.worker.v1.MsgUnregisterWorker" || string(m.Value) != "\x0a\x04pha1\x10\x01" {
		t.Errorf("got %s %q, %v", m.TypeURL, m.Value, err)
	}
}

func TestKeyText(t *testing.T) {
	k := key(t)
	if s := fmt.Sprintf("%s %v %+v %#v", k, k, k, k); strings.Contains(s, "1111111111") || !strings.Contains(s, k.Address()) {
		t.Errorf("a printed key: %s", s)
	}
	for _, s := range []string{"", "zz", strings.Repeat("00", 32), strings.Repeat("ff", 32), strings.Repeat("11", 33)} {
		if _, err := cosmostx.ParseKey(s); err == nil {
			t.Errorf("%q was accepted", s)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
	n, err := cosmostx.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := cosmostx.ParseKey(n.Hex())
	if err != nil || again.Address() != n.Address() {
		t.Errorf("read back: %v, %v", again, err)
	}
}
