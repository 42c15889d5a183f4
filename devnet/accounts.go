package devnet

import "github.com/phala-go/phala/client/keys"

// Mnemonic gives every account of a development network. It is public: whoever reads this holds its keys.
const Mnemonic = "test test test test test test test test test test test junk"

// Names of the funded accounts; number i is m/44'/118'/0'/0/i of Mnemonic.
var Names = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"}

// Indices of the accounts that the network itself uses.
const (
	keeperIndex     = 60  // operates the second gatekeeper; the next ones follow
	ownerIndex      = 90  // owns cluster 1
	gatekeeperIndex = 100 // operates the first gatekeeper
	executorIndex   = 101 // operates the first executor; the next ones follow
)

// funds of each account: 10,000 PHA.
const funds = "10000000000000000ppha"

// Account is a funded account of a development network. Its key is public.
type Account struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Index   uint32 `json:"index"` // m/44'/118'/0'/0/index
}

// Key derives an account's key.
func (a Account) Key() (*keys.Key, error) { return keys.FromMnemonic(Mnemonic, a.Index) }

// Accounts are the ten users.
func Accounts() ([]Account, error) {
	out := make([]Account, len(Names))
	for i, n := range Names {
		a := Account{Name: n, Index: uint32(i)}
		k, err := a.Key()
		if err != nil {
			return nil, err
		}
		a.Address = k.Address()
		out[i] = a
	}
	return out, nil
}
