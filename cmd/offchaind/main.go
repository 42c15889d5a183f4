// Command offchaind is the untrusted half of a TEE worker: it relays between the chain, the enclave and other members, keeps
// sealed records and serves the gateway.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
