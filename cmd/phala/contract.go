package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/wire"
)

func contractCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "contract", Short: "Confidential contracts: write, build, deploy, call, query, list"}
	cmd.AddCommand(newContractCmd(e), buildCmd(e), uploadCmd(e), deployCmd(e), callCmd(e), queryCmd(e), listContractsCmd(e))
	return cmd
}

func uploadCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "upload FILE.wasm", Short: "Put a contract's code on the chain", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.client(cmd.Context(), true)
			if err != nil {
				return err
			}
			id, err := e.upload(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			s := hex.EncodeToString(id)
			return e.print(map[string]string{"code_id": s}, func(w io.Writer) { fmt.Fprintln(w, s) })
		},
	}
	e.waitFlags(cmd)
	return cmd
}

func (e *env) upload(ctx context.Context, c *client.Client, file string) ([]byte, error) {
	module, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the code: %w", err)
	}
	if !strings.HasPrefix(string(module), "\x00asm") {
		return nil, advise(fmt.Errorf("%s is no WebAssembly module", file), "a Go contract is built with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared")
	}
	id, tx, err := c.UploadCode(ctx, module)
	if err != nil {
		return nil, err
	}
	if tx.Height == 0 {
		e.say("the code is on the chain already")
	} else {
		e.say("code %x… is on the chain since block %d", id[:6], tx.Height)
	}
	return id, nil
}

func deployCmd(e *env) *cobra.Command {
	var in client.Instantiation
	var msg, policy string
	cmd := &cobra.Command{
		Use: "deploy FILE.wasm|CODE_ID", Short: "Instantiate a contract in a cluster", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			q, err := oneOf(policy, map[string]int32{"self": int32(wire.QUERY_POLICY_SELF), "owner": int32(wire.QUERY_POLICY_OWNER), "open": int32(wire.QUERY_POLICY_OPEN)})
			if err != nil {
				return err
			}
			in.Query = wire.QueryPolicy(q)
			if in.Msg, err = jsonArg("--init", msg); err != nil {
				return err
			}
			c, err := e.client(ctx, true)
			if err != nil {
				return err
			}
			if id, err := hex.DecodeString(args[0]); err == nil && len(id) == 32 {
				in.CodeID = id
			} else if in.CodeID, err = e.upload(ctx, c, args[0]); err != nil {
				return err
			}
			if in.Label == "" {
				in.Label = hex.EncodeToString(in.CodeID[:4])
			}
			e.say("sealed and submitted")
			p, err := c.Instantiate(ctx, in)
			if err != nil {
				return err
			}
			return e.finish(ctx, c, p, false)
		},
	}
	e.waitFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&msg, "init", "{}", "the contract's instantiation message, JSON; @FILE reads a file")
	f.StringVar(&in.Label, "label", "", "a name, public")
	f.StringVar(&policy, "query", "self", "who may query: self (by permit, only what is one's own), owner, open")
	f.Uint64Var(&in.Cluster, "cluster", 1, "number of the cluster")
	f.StringVar(&in.Funds, "funds", "", "ppha to send along")
	f.BoolVarP(&e.quiet, "quiet", "q", false, "print the contract's address alone")
	return cmd
}

func callCmd(e *env) *cobra.Command {
	var in client.Call
	var noWait bool
	cmd := &cobra.Command{
		Use: "call CONTRACT JSON", Short: "Seal a message to a contract and wait for its final result", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			var err error
			in.Contract = args[0]
			if in.Msg, err = jsonArg("message", args[1]); err != nil {
				return err
			}
			c, err := e.client(ctx, true)
			if err != nil {
				return err
			}
			e.say("sealed and submitted")
			p, err := c.SubmitCall(ctx, in)
			if err != nil {
				return err
			}
			return e.finish(ctx, c, p, noWait)
		},
	}
	e.waitFlags(cmd)
	f := cmd.Flags()
	f.Uint64Var(&in.Cluster, "cluster", 1, "number of the cluster")
	f.StringVar(&in.Funds, "funds", "", "ppha to send along")
	f.BoolVar(&noWait, "no-wait", false, "do not wait for the result; phala result gets it later")
	return cmd
}

// finish keeps the call, waits for its result and shows it.
func (e *env) finish(ctx context.Context, c *client.Client, p *client.Pending, noWait bool) error {
	if err := p.Save(e.pendingDir()); err != nil {
		return err
	}
	if p.Again != "" {
		e.say("%s", p.Again)
	}
	e.say("ordered in block %d as input %d of cluster %d", p.Ordered, p.Index, p.Cluster)
	if noWait {
		return e.print(map[string]any{"cluster": p.Cluster, "input": p.Index, "ordered_height": p.Ordered, "tx_hash": p.TxHash, "contract": p.Contract}, func(w io.Writer) {
			fmt.Fprintf(w, "input %d of cluster %d, ordered in block %d\nits result: phala result %d --cluster %d\n", p.Index, p.Cluster, p.Ordered, p.Index, p.Cluster)
		})
	}
	return e.showResult(ctx, c, p)
}

type resultView struct {
	Cluster    uint64            `json:"cluster"`
	Input      uint64            `json:"input"`
	Contract   string            `json:"contract,omitempty"`
	Ordered    uint64            `json:"ordered_height"`
	Executed   uint64            `json:"executed_height"`
	Final      uint64            `json:"final_height"`
	Batch      uint64            `json:"batch"`
	Signatures int               `json:"signatures"`
	Proven     uint64            `json:"proven_height"`
	TxHash     string            `json:"tx_hash"`
	Data       string            `json:"data,omitempty"`
	Attributes []attribute       `json:"attributes,omitempty"`
	Failure    map[string]string `json:"failure,omitempty"`
	Trace      []string          `json:"trace,omitempty"`
}

type attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (e *env) showResult(ctx context.Context, c *client.Client, p *client.Pending) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	index := p.Index
	f, err := c.Result(ctx, p)
	if p.Index != index {
		e.say("%s", p.Again)
		if err := p.Save(e.pendingDir()); err != nil {
			return err
		}
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return advise(err, fmt.Sprintf("the call is ordered and not lost: phala result %d --cluster %d", p.Index, p.Cluster))
		}
		return err
	}
	v := resultView{p.Cluster, p.Index, p.Contract, p.Ordered, f.Batch.ChainHeight, f.Committed.Height, f.Batch.Number, len(f.Committed.Signed.Signatures), f.Proven, p.TxHash, string(f.Result.Data), nil, nil, f.Trace}
	for _, a := range f.Result.Attributes {
		v.Attributes = append(v.Attributes, attribute{a.Key, a.Value})
	}
	e.say("executed at block %d by %d of the cluster's members\nfinal at block %d, batch %d", v.Executed, v.Signatures, v.Final, v.Batch)
	if x := f.Result.Failure; x != nil {
		v.Failure = map[string]string{"code": x.Code, "message": x.Message, "next": x.Next}
		if e.output == "json" {
			_ = e.print(v, nil)
		}
		for i, where := range f.Trace {
			fmt.Fprintf(e.err, "%s %s\n", [...]string{"it broke off:", "    in"}[min(i, 1)], where)
		}
		return f.Err()
	}
	return e.print(v, func(w io.Writer) {
		if e.quiet {
			fmt.Fprintln(w, v.Contract)
			return
		}
		fmt.Fprintf(w, "contract  %s\nfinal     block %d (ordered in %d), batch %d with %d signatures\n", v.Contract, v.Final, v.Ordered, v.Batch, v.Signatures)
		if v.Data != "" {
			fmt.Fprintf(w, "data      %s\n", v.Data)
		}
		for _, a := range v.Attributes {
			fmt.Fprintf(w, "          %s = %s\n", a.Key, a.Value)
		}
	})
}

func resultCmd(e *env) *cobra.Command {
	var cluster uint64
	cmd := &cobra.Command{
		Use: "result INPUT", Short: "Get the result of a call that this home has sent", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			index, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usage("input %q: want its number", args[0])
			}
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			p, err := client.LoadPending(e.pendingDir(), c.ChainID(), cluster, index)
			if err != nil {
				return err
			}
			return e.showResult(cmd.Context(), c, p)
		},
	}
	cmd.Flags().Uint64Var(&cluster, "cluster", 1, "number of the cluster")
	cmd.Flags().BoolVar(&e.progress, "progress", false, "show progress even if this is no terminal")
	return cmd
}

func queryCmd(e *env) *cobra.Command {
	var cluster uint64
	var valid time.Duration
	cmd := &cobra.Command{
		Use: "query CONTRACT JSON|-", Short: "Ask a contract; --from signs a permit to ask as that account", Args: cobra.ExactArgs(2),
		Long: "Ask a contract. With - for the message, standard input has one message a line: they are asked one after another in one session,\nand each line of the output answers one of them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			var msg []byte
			if args[1] != "-" {
				var err error
				if msg, err = jsonArg("message", args[1]); err != nil {
					return err
				}
			}
			c, err := e.client(ctx, false)
			if err != nil {
				return err
			}
			var p *wire.Permit
			if e.from != "" {
				if p, err = c.Permit(cluster, valid, args[0]); err != nil {
					return err
				}
			}
			if msg == nil {
				return e.queryAll(ctx, c, cluster, args[0], p, cmd.InOrStdin())
			}
			a, err := c.Query(ctx, cluster, args[0], msg, p)
			if err != nil {
				return err
			}
			return e.printAnswer(a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.from, "from", "", "name of the key that signs a permit (default: ask as nobody)")
	f.Uint64Var(&cluster, "cluster", 1, "number of the cluster")
	f.DurationVar(&valid, "permit-valid", 10*time.Minute, "how long the permit is valid")
	return cmd
}

func (e *env) printAnswer(a *client.Answer) error {
	var data any = string(a.Data)
	if json.Valid(a.Data) {
		data = json.RawMessage(a.Data)
	}
	return e.print(map[string]any{"data": data, "height": a.Height, "batch": a.Number, "root": hex.EncodeToString(a.Root)}, func(w io.Writer) {
		fmt.Fprintln(w, string(a.Data))
	})
}

// maxQuestion bounds a line of standard input, bytes.
const maxQuestion = 1 << 20

// queryAll asks what stands in in, a message a line, in one session. It ends with the first refusal, and says of which line.
func (e *env) queryAll(ctx context.Context, c *client.Client, cluster uint64, contract string, p *wire.Permit, in io.Reader) error {
	s, err := c.OpenSession(ctx, cluster, p)
	if err != nil {
		return err
	}
	defer s.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxQuestion)
	for n := 1; lines.Scan(); n++ {
		msg := bytes.TrimSpace(lines.Bytes())
		if len(msg) == 0 {
			continue
		}
		if !json.Valid(msg) {
			return usage("line %d is not JSON: %.60s", n, msg)
		}
		a, err := s.Query(ctx, contract, msg)
		if err == nil {
			err = e.printAnswer(a)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the messages, at most %d bytes a line: %w", maxQuestion, err)
	}
	return nil
}

func statusCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say how the network is, as verified from the genesis", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.client(cmd.Context(), false)
			if err != nil {
				return err
			}
			h, err := c.Chain.Head(cmd.Context())
			if err != nil {
				return err
			}
			out := map[string]any{"chain_id": h.ChainID, "height": h.Height, "hash": hex.EncodeToString(h.Hash), "time": h.Time, "development": c.Genesis.Development, "rpc": c.Node.URL()}
			return e.print(out, func(w io.Writer) {
				fmt.Fprintf(w, "chain   %s at %s\nheight  %d, %s, verified from the genesis\n", h.ChainID, c.Node.URL(), h.Height, h.Time.Format(time.RFC3339))
				if c.Genesis.Development {
					fmt.Fprintln(w, "DEVELOPMENT NETWORK: the rules that protect production are lowered, the TEE may be simulated")
				}
			})
		},
	}
}

// jsonArg takes JSON, or @FILE with it.
func jsonArg(name, s string) ([]byte, error) {
	b := []byte(s)
	if file, ok := strings.CutPrefix(s, "@"); ok {
		var err error
		if b, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	if !json.Valid(b) {
		return nil, usage("%s is not JSON: %.60s", name, b)
	}
	return b, nil
}
