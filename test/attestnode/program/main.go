// Command program is what the test of attestnode compiles for js/wasm and runs under Node: it reads Unix seconds and the names of files
// from its arguments and prints one line of Judge for each. It must never decide anything itself.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/phala-go/phala/test/attestnode"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "program:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("%d arguments: want Unix seconds and files", len(args))
	}
	seconds, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	for _, name := range args[1:] {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var beside []byte
		if base, ok := strings.CutSuffix(name, ".report.bin"); ok {
			if beside, err = os.ReadFile(base + ".cert.der"); err != nil {
				return err
			}
		}
		fmt.Println(attestnode.Judge(b, beside, time.Unix(seconds, 0)))
	}
	return nil
}
