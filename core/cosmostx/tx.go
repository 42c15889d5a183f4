// Package cosmostx builds, signs and encodes the chain's transactions by hand, so that nothing but the node links the Cosmos SDK:
// TxRaw with one secp256k1 signer in SIGN_MODE_DIRECT, after cosmos/tx/v1beta1. It must never ask a node for anything.
package cosmostx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/cosmos/gogoproto/proto"
	"google.golang.org/protobuf/encoding/protowire"
)

// Denom is the base denomination: 10^12 ppha are one PHA.
const Denom = "ppha"

// Msg is a message with its type URL: google.protobuf.Any.
type Msg struct {
	TypeURL string
	Value   []byte
}

// MsgOf wraps a generated message under its registered name.
func MsgOf(m proto.Message) (Msg, error) {
	name := proto.MessageName(m)
	if name == "" {
		return Msg{}, fmt.Errorf("wrapping %T: it is not registered", m)
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return Msg{}, fmt.Errorf("wrapping %T: %w", m, err)
	}
	return Msg{TypeURL: "/" + name, Value: b}, nil
}

// Send is bank's MsgSend of amount ppha.
func Send(from, to, amount string) Msg {
	b := stringField(stringField(nil, 1, from), 2, to)
	return Msg{TypeURL: "/cosmos.bank.v1beta1.MsgSend", Value: bytesField(b, 3, coin(amount))}
}

// Params is what a transaction says besides its signature.
type Params struct {
	ChainID       string
	AccountNumber uint64
	Sequence      uint64
	GasLimit      uint64
	Fee           string // ppha; empty: none
	Memo          string
	Msgs          []Msg
}

// Sign gives the encoded transaction.
func Sign(p Params, k *Key) []byte {
	body, auth := p.body(), p.authInfo(k.PubKey())
	raw := bytesField(bytesField(nil, 1, body), 2, auth)
	doc := uintField(stringField(raw[:len(raw):len(raw)], 3, p.ChainID), 4, p.AccountNumber)
	return bytesField(raw, 3, k.Sign(doc))
}

// Hash is the transaction's name as nodes and explorers print it.
func Hash(tx []byte) string {
	h := sha256.Sum256(tx)
	return strings.ToUpper(hex.EncodeToString(h[:]))
}

func (p Params) body() []byte {
	var b []byte
	for _, m := range p.Msgs {
		b = bytesField(b, 1, anyOf(m))
	}
	return stringField(b, 2, p.Memo)
}

func (p Params) authInfo(pub []byte) []byte {
	const modeDirect = 1
	key := Msg{TypeURL: "/cosmos.crypto.secp256k1.PubKey", Value: bytesField(nil, 1, pub)}
	signer := bytesField(nil, 1, anyOf(key))
	signer = bytesField(signer, 2, bytesField(nil, 1, uintField(nil, 1, modeDirect)))
	signer = uintField(signer, 3, p.Sequence)
	var fee []byte
	if p.Fee != "" && p.Fee != "0" {
		fee = bytesField(fee, 1, coin(p.Fee))
	}
	fee = uintField(fee, 2, p.GasLimit)
	return bytesField(bytesField(nil, 1, signer), 2, fee)
}

func anyOf(m Msg) []byte { return bytesValue(stringField(nil, 1, m.TypeURL), 2, m.Value) }

func coin(amount string) []byte { return stringField(stringField(nil, 1, Denom), 2, amount) }

// bytesField writes a field even when it is empty: messages within messages.
func bytesField(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

// bytesValue leaves out the default.
func bytesValue(b []byte, n protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return bytesField(b, n, v)
}

func stringField(b []byte, n protowire.Number, v string) []byte { return bytesValue(b, n, []byte(v)) }

func uintField(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}
