// Command probe is a contract that tries out what the engine gives a Go
// program and what it does not.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/phala-go/phala/sdk/contract"
)

// Msg says what to try.
type Msg struct {
	Try string `json:"try"`
}

// Saw is what was found.
type Saw struct {
	Text string `json:"text"`
}

var (
	atStart = time.Now()
	saw     = contract.NewItem[string]("saw")
	pairs   = contract.NewMap[int]("pairs")
)

func execute(ctx *contract.Context, msg Msg) error {
	saw.Save(ctx, try(ctx, msg.Try))
	return nil
}

func query(ctx *contract.Context, msg Msg) (Saw, error) { return Saw{try(ctx, msg.Try)}, nil }

func try(ctx *contract.Context, what string) string {
	switch what {
	case "clock":
		return fmt.Sprint(atStart.UnixNano(), time.Now().UnixNano(), ctx.Time().UnixNano())
	case "random":
		var b [16]byte
		_, _ = rand.Read(b[:])
		return hex.EncodeToString(b[:]) + fmt.Sprint(mathrand.Uint64())
	case "maps": // their order is the runtime's randomness
		out := ""
		for k := range map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9} {
			out += k
		}
		return out
	case "file":
		_, err := os.ReadFile("/etc/passwd")
		return err.Error()
	case "environment":
		return fmt.Sprint(len(os.Environ()), len(os.Args))
	case "print":
		n, err := fmt.Println("a secret")
		return fmt.Sprint(n, err)
	case "goroutines":
		var wg sync.WaitGroup
		var mu sync.Mutex
		sum := 0
		for i := range 100 {
			wg.Go(func() { mu.Lock(); sum += i; mu.Unlock() })
		}
		wg.Wait()
		return fmt.Sprint(sum)
	case "garbage": // enough for the collector to run, across calls to the host
		for i := range 200 {
			pairs.Save(ctx, fmt.Sprintf("%03d", i), i)
			_ = strings.Repeat("x", 200<<10)
		}
		n := 0
		for k, v := range pairs.All(ctx) {
			_ = strings.Repeat("y", 200<<10)
			if k != fmt.Sprintf("%03d", v) || v != n {
				return fmt.Sprintf("found %d under %s", v, k)
			}
			n++
		}
		return fmt.Sprint(n)
	case "memory":
		var keep [][]byte
		for {
			keep = append(keep, make([]byte, 1<<20))
		}
	case "loop":
		for {
		}
	case "sleep":
		time.Sleep(time.Second)
	case "deadlock":
		<-make(chan int)
	case "panic":
		panic("on purpose")
	case "exit":
		os.Exit(3)
	case "recursion":
		return recurse(1)
	}
	return "nothing"
}

func recurse(n int) string { return fmt.Sprint(n) + recurse(n+1) }

func init() {
	contract.Register(contract.Contract{Execute: contract.Handle(execute), Query: contract.Answer(query)})
}

func main() {}
