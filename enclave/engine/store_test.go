package engine

import "github.com/phala-go/phala/enclave/enclavetest/mapstore"

// memory is a Store for tests.
type memory = mapstore.Store
