// Command contract is a sealed-bid auction: bids are secret until the seller
// closes it, and then only the highest becomes known.
package main

import (
	"errors"
	"strconv"

	"github.com/phala-go/phala/sdk/contract"
)

// Auction is what is for sale.
type Auction struct {
	Item   string `json:"item"`
	Seller string `json:"seller"`
	Closed bool   `json:"closed"`
	Bids   uint64 `json:"bids"`   // how many have bid
	Placed uint64 `json:"placed"` // how often a bid was placed or raised
}

// Offer is one account's bid.
type Offer struct {
	Amount uint64 `json:"amount"`
	Order  uint64 `json:"order"` // when it was placed: of equal bids the earlier wins
}

var (
	auction = contract.NewItem[Auction]("auction")
	offers  = contract.NewMap[Offer]("offers")
)

func instantiate(ctx *contract.Context, msg InstantiateMsg) error {
	if msg.Item == "" {
		return errors.New("what is for sale?")
	}
	auction.Save(ctx, Auction{Item: msg.Item, Seller: ctx.Sender()})
	return nil
}

func execute(ctx *contract.Context, msg ExecuteMsg) error {
	a, _ := auction.Load(ctx)
	if a.Closed {
		return errors.New("the auction is closed")
	}
	if msg.Close != nil {
		return shut(ctx, a)
	}
	return bid(ctx, a, *msg.Bid)
}

// bid tells nobody anything but its sender: no event, no attribute.
func bid(ctx *contract.Context, a Auction, msg Bid) error {
	amount, err := strconv.ParseUint(msg.Amount, 10, 64)
	if err != nil || amount == 0 {
		return errors.New("a bid is a positive whole number")
	}
	before, again := offers.Load(ctx, ctx.Sender())
	if again && amount <= before.Amount {
		return errors.New("a bid can only be raised")
	}
	if !again {
		a.Bids++
	}
	a.Placed++
	offers.Save(ctx, ctx.Sender(), Offer{Amount: amount, Order: a.Placed})
	auction.Save(ctx, a)
	return nil
}

func shut(ctx *contract.Context, a Auction) error {
	if ctx.Sender() != a.Seller {
		return errors.New("only the seller can close the auction")
	}
	a.Closed = true
	auction.Save(ctx, a)
	ctx.Emit("auction_closed", contract.Attr("bids", strconv.FormatUint(a.Bids, 10)))
	return nil
}

func query(ctx *contract.Context, msg QueryMsg) (any, error) {
	a, _ := auction.Load(ctx)
	switch {
	case msg.Winner != nil:
		return winner(ctx, a)
	case msg.Bid != nil:
		return ownBid(ctx, msg.Bid.Bidder)
	}
	return Status{Item: a.Item, Open: !a.Closed, Bids: a.Bids}, nil
}

func winner(ctx *contract.Context, a Auction) (any, error) {
	if !a.Closed {
		return nil, errors.New("the auction is still open")
	}
	var bidder string
	var best Offer
	for who, o := range offers.All(ctx) {
		if o.Amount > best.Amount || o.Amount == best.Amount && o.Order < best.Order {
			bidder, best = who, o
		}
	}
	if bidder == "" {
		return nil, errors.New("nobody bid")
	}
	return Standing{Bidder: bidder, Amount: strconv.FormatUint(best.Amount, 10)}, nil
}

func ownBid(ctx *contract.Context, bidder string) (any, error) {
	if ctx.Caller() == "" || ctx.Caller() != bidder {
		return nil, errors.New("not your bid")
	}
	o, ok := offers.Load(ctx, bidder)
	if !ok {
		return nil, errors.New("you have not bid")
	}
	return Standing{Bidder: bidder, Amount: strconv.FormatUint(o.Amount, 10)}, nil
}

// program is the whole contract.
func program() contract.Contract {
	contract.Warm[Status]()
	contract.Warm[Standing]()
	return contract.Contract{
		Instantiate: contract.Handle(instantiate),
		Execute:     contract.Handle(execute),
		Query:       contract.Answer(query),
	}
}

func init() { contract.Register(program()) }

func main() {}
