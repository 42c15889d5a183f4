package cosmwasm
import ( _ "github.com/phala-go/phala/enclave/calls" )
