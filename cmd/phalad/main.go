// Command phalad is the chain's node and its command line.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:]))
}
