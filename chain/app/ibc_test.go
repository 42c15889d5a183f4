package app_test

import (
	"context"
	stdhex "encoding/hex"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v11/modules/core/02-client/types"
	clientv2types "github.com/cosmos/ibc-go/v11/modules/core/02-client/v2/types"
	channeltypes "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"
	commitmenttypes "github.com/cosmos/ibc-go/v11/modules/core/23-commitment/types"
	host "github.com/cosmos/ibc-go/v11/modules/core/24-host/v2"
	ibctm "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	"github.com/phala-go/phala/chain/app/devhome"
)

func hex(b []byte) string { return stdhex.EncodeToString(b) }

// TestIBC sends PHA from one of our chains to another and back, with light clients, packets and acknowledgements.
func TestIBC(t *testing.T) {
	a, b := startIBC(t, "phala-a-1"), startIBC(t, "phala-b-1")
	a.connect(t, b)

	amount := app.PHA(12)
	before := a.balance(t, app.BaseDenom)
	relay(t, a, b, app.BaseDenom, amount.String())
	voucher := transfertypes.NewDenom(app.BaseDenom, transfertypes.NewHop("transfer", b.client)).IBCDenom()
	if got := b.balance(t, voucher); !got.Amount.Equal(amount) {
		t.Fatalf("arrived: %s", got)
	}
	relay(t, b, a, "transfer/"+b.client+"/"+app.BaseDenom, amount.String())
	if got := b.balance(t, voucher); !got.IsZero() {
		t.Errorf("left behind: %s", got)
	}
	if got := a.balance(t, app.BaseDenom); !got.Equal(before) {
		t.Errorf("had %s, has %s", before, got)
	}
}

// ibcChain is a chain, and its client of the other one.
type ibcChain struct {
	*apptest.Node
	id     string
	client string
	latest int64 // the other chain's height that client knows
}

func startIBC(t *testing.T, id string) *ibcChain {
	return &ibcChain{Node: apptest.StartNode(t, devhome.Config{ChainID: id}), id: id}
}

func (c *ibcChain) addr() string { return c.Funds.String() }

func (c *ibcChain) send(t *testing.T, msgs ...sdk.Msg) ([]abci.Event, int64) {
	t.Helper()
	r := c.Send(t, c.Funds, msgs...)
	return r.TxResult.Events, r.Height
}

// connect makes a client on each chain and tells each which one is its counterpart.
func (c *ibcChain) connect(t *testing.T, o *ibcChain) {
	c.createClient(t, o)
	o.createClient(t, c)
	prefix := [][]byte{[]byte("ibc"), {}}
	c.send(t, clientv2types.NewMsgRegisterCounterparty(c.client, prefix, o.client, c.addr()))
	o.send(t, clientv2types.NewMsgRegisterCounterparty(o.client, prefix, c.client, o.addr()))
}

func (c *ibcChain) createClient(t *testing.T, o *ibcChain) {
	o.WaitHeight(t, 3)
	sh := o.header(t, 2)
	state := ibctm.NewClientState(o.id, ibctm.DefaultTrustLevel, 14*24*time.Hour, 21*24*time.Hour, 10*time.Second, o.height(2), commitmenttypes.GetSDKSpecs(), []string{"upgrade", "upgradedIBCState"})
	cons := ibctm.NewConsensusState(sh.Time, commitmenttypes.NewMerkleRoot(sh.AppHash), sh.NextValidatorsHash)
	msg, err := clienttypes.NewMsgCreateClient(state, cons, c.addr())
	must(t, err)
	events, _ := c.send(t, msg)
	c.client, c.latest = attribute(t, events, "create_client", "client_id"), 2
}

// update is the message that brings c's client of o to height h.
func (c *ibcChain) update(t *testing.T, o *ibcChain, h int64) sdk.Msg {
	sh := o.header(t, h)
	msg, err := clienttypes.NewMsgUpdateClient(c.client, &ibctm.Header{
		SignedHeader: sh.ToProto(), ValidatorSet: o.validators(t, h),
		TrustedHeight: o.height(c.latest), TrustedValidators: o.validators(t, c.latest+1),
	}, c.addr())
	must(t, err)
	c.latest = h
	return msg
}

// relay sends amount of denom from a to b: packet, receipt, acknowledgement.
func relay(t *testing.T, a, b *ibcChain, denom, amount string) {
	t.Helper()
	data := transfertypes.NewFungibleTokenPacketData(denom, amount, a.addr(), b.addr(), "")
	value, err := transfertypes.MarshalPacketData(data, transfertypes.V1, transfertypes.EncodingProtobuf)
	must(t, err)
	payload := channeltypes.NewPayload("transfer", "transfer", transfertypes.V1, transfertypes.EncodingProtobuf, value)
	events, height := a.send(t, channeltypes.NewMsgSendPacket(a.client, uint64(time.Now().Add(time.Hour).Unix()), a.addr(), payload))
	var packet channeltypes.Packet
	decode(t, attribute(t, events, channeltypes.EventTypeSendPacket, channeltypes.AttributeKeyEncodedPacketHex), &packet)

	h := height + 1
	update := b.update(t, a, h)
	proof := a.proof(t, host.PacketCommitmentKey(packet.SourceClient, packet.Sequence), h)
	events, height = b.send(t, update, channeltypes.NewMsgRecvPacket(packet, proof, a.height(h), b.addr()))
	var ack channeltypes.Acknowledgement
	decode(t, attribute(t, events, channeltypes.EventTypeWriteAck, channeltypes.AttributeKeyEncodedAckHex), &ack)
	if !ack.Success() {
		t.Fatalf("%s refused the packet: %v", b.id, ack)
	}

	h = height + 1
	update = a.update(t, b, h)
	proof = b.proof(t, host.PacketAcknowledgementKey(packet.DestinationClient, packet.Sequence), h)
	a.send(t, update, channeltypes.NewMsgAcknowledgement(packet, ack, proof, b.height(h), a.addr()))
}

func (c *ibcChain) height(h int64) clienttypes.Height {
	return clienttypes.NewHeight(clienttypes.ParseChainID(c.id), uint64(h))
}

// header returns the final header of height h, with its commit: the one in the next block.
func (c *ibcChain) header(t *testing.T, h int64) cmttypes.SignedHeader {
	c.WaitHeight(t, h+1)
	r, err := c.RPC.Commit(context.Background(), &h)
	must(t, err)
	return r.SignedHeader
}

func (c *ibcChain) validators(t *testing.T, h int64) *cmtproto.ValidatorSet {
	r, err := c.RPC.Validators(context.Background(), &h, nil, nil)
	must(t, err)
	set := cmttypes.NewValidatorSet(r.Validators)
	p, err := set.ToProto()
	must(t, err)
	p.TotalVotingPower = set.TotalVotingPower()
	return p
}

// proof of a key of c's ibc store, against the header of height h.
func (c *ibcChain) proof(t *testing.T, key []byte, h int64) []byte {
	r, err := c.RPC.ABCIQueryWithOptions(context.Background(), "store/ibc/key", key, rpcclient.ABCIQueryOptions{Height: h - 1, Prove: true})
	must(t, err)
	if len(r.Response.Value) == 0 {
		t.Fatalf("no value at %X: %s", key, r.Response.Log)
	}
	p, err := commitmenttypes.ConvertProofs(r.Response.ProofOps)
	must(t, err)
	bz, err := p.Marshal()
	must(t, err)
	return bz
}

func (c *ibcChain) balance(t *testing.T, denom string) sdk.Coin {
	var r banktypes.QueryBalanceResponse
	must(t, c.Query("/cosmos.bank.v1beta1.Query/Balance", &banktypes.QueryBalanceRequest{Address: c.addr(), Denom: denom}, &r))
	return *r.Balance
}

func attribute(t *testing.T, events []abci.Event, typ, key string) string {
	for _, e := range events {
		for _, a := range e.Attributes {
			if e.Type == typ && a.Key == key {
				return a.Value
			}
		}
	}
	t.Fatalf("no %s.%s among the events", typ, key)
	return ""
}

func decode(t *testing.T, s string, m proto.Message) {
	bz, err := stdhex.DecodeString(s)
	must(t, err)
	must(t, proto.Unmarshal(bz, m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
