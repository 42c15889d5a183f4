package contract_test

import (
	"fmt"

	"github.com/phala-go/phala/sdk/contract"
	"github.com/phala-go/phala/sdk/contract/contracttest"
)

// Say replaces what was said last.
type Say struct {
	Text string `json:"text"`
}

var last = contract.NewItem[string]("last")

func say(ctx *contract.Context, msg Say) error {
	last.Save(ctx, msg.Text)
	return nil
}

func said(ctx *contract.Context, _ struct{}) (string, error) {
	text, ok := last.Load(ctx)
	if !ok {
		return "", fmt.Errorf("nothing was said")
	}
	return text, nil
}

func Example() {
	// A program would call contract.Register with this, in its init.
	parrot := contract.Contract{Execute: contract.Handle(say), Query: contract.Answer(said)}

	c := contracttest.New(parrot)
	if _, err := c.Execute(contracttest.Address("alice"), Say{"hello"}); err != nil {
		fmt.Println(err)
	}
	var text string
	if err := c.Query("", struct{}{}, &text); err != nil {
		fmt.Println(err)
	}
	fmt.Println(text)
	// Output: hello
}
