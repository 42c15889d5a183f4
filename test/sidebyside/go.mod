module github.com/phala-go/phala/test/sidebyside

go 1.26.5

require (
	github.com/phala-go/phala v0.0.0
	github.com/phala-go/phala/sdk/contract v0.0.0
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/cloudflare/circl v1.6.5 // indirect
	github.com/cosmos/btcutil v1.0.5 // indirect
	github.com/decred/dcrd/dcrec/secp256k1/v4 v4.4.1 // indirect
	github.com/hdevalence/ed25519consensus v0.2.0 // indirect
	github.com/tetratelabs/wazero v1.12.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace (
	github.com/phala-go/phala => ../..
	github.com/phala-go/phala/sdk/contract => ../../sdk/contract
)
