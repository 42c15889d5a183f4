module github.com/phala-go/phala/test/cosmwasm

go 1.26.5

require (
	github.com/CosmWasm/wasmd v0.61.14 // for files of its tests: never imported, and so not tidied
	github.com/CosmWasm/wasmvm/v2 v2.2.4 // likewise
	github.com/CosmWasm/wasmvm/v3 v3.0.7 // likewise
	github.com/phala-go/phala v0.0.0
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/cloudflare/circl v1.6.5 // indirect
	github.com/cosmos/btcutil v1.0.5 // indirect
	github.com/cosmos/gogoproto v1.7.2 // indirect
	github.com/decred/dcrd/dcrec/secp256k1/v4 v4.4.1 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/hdevalence/ed25519consensus v0.2.0 // indirect
	github.com/tetratelabs/wazero v1.12.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/phala-go/phala => ../..
