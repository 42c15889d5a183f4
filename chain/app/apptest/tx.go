package apptest

import (
	"context"
	"testing"

	"github.com/cosmos/gogoproto/proto"

	"github.com/cosmos/cosmos-sdk/client"
	clienttx "github.com/cosmos/cosmos-sdk/client/tx"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
)

// gasLimit is enough for every message a test sends.
const gasLimit = 100_000_000

// SignTx makes the bytes of a transaction without a fee.
func SignTx(cfg client.TxConfig, key cryptotypes.PrivKey, chainID string, number, sequence uint64, msgs ...sdk.Msg) ([]byte, error) {
	const mode = signing.SignMode_SIGN_MODE_DIRECT
	b := cfg.NewTxBuilder()
	b.SetGasLimit(gasLimit)
	if err := b.SetMsgs(msgs...); err != nil {
		return nil, err
	}
	// The public key is part of what is signed, so it is set before.
	sig := signing.SignatureV2{PubKey: key.PubKey(), Data: &signing.SingleSignatureData{SignMode: mode}, Sequence: sequence}
	if err := b.SetSignatures(sig); err != nil {
		return nil, err
	}
	sig, err := clienttx.SignWithPrivKey(context.Background(), mode, authsigning.SignerData{
		ChainID: chainID, AccountNumber: number, Sequence: sequence,
		Address: sdk.AccAddress(key.PubKey().Address()).String(), PubKey: key.PubKey(),
	}, b, key, cfg, sequence)
	if err != nil {
		return nil, err
	}
	if err := b.SetSignatures(sig); err != nil {
		return nil, err
	}
	return cfg.TxEncoder()(b.GetTx())
}

// Response decodes the response of message i out of the data of a transaction's result.
func Response(t testing.TB, data []byte, i int, res proto.Message) {
	t.Helper()
	var all sdk.TxMsgData
	check(t, proto.Unmarshal(data, &all))
	if i >= len(all.MsgResponses) {
		t.Fatalf("no response %d among %d", i, len(all.MsgResponses))
	}
	check(t, proto.Unmarshal(all.MsgResponses[i].Value, res))
}
