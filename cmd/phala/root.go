package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/client/keys"
)

// version is set by the linker.
var version = "dev"

// whatThisIs tells ours from the other programs of that name.
const whatThisIs = "Phala in Go, %s\nThis is github.com/phala-go/phala; npm's package of the same name is something else.\n"

// settings are the home's config.json.
type settings struct {
	ChainID  string   `json:"chain_id,omitempty"`
	RPC      string   `json:"rpc"`
	Gateways []string `json:"gateways,omitempty"`
	Genesis  string   `json:"genesis"`
	Keyring  string   `json:"keyring,omitempty"` // file (default) or test
}

// env is what every command works with.
type env struct {
	in       io.Reader
	out, err io.Writer

	home, output, from, passFile string
	flags                        settings // from flags; empty: config.json decides
	progress, noInput, quiet     bool
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	e := &env{in: in, out: out, err: errOut, output: "text"}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(errOut, "phala: interrupted")
		return 130
	}
	return e.report(err)
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:           "phala",
		Version:       version,
		Short:         "Phala in Go: confidential contracts on a blockchain",
		Long:          "Phala in Go: encrypt, order on a blockchain, compute inside TEEs, let only the right person read.\nBegin with `phala dev`: a whole network on this machine. Exit codes: `phala help exit-codes`.",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if e.output != "text" && e.output != "json" {
				return usage("-o %q: there are text and json", e.output)
			}
			return nil
		},
	}
	root.SetVersionTemplate(fmt.Sprintf(whatThisIs, version))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%v", err) })
	home := os.Getenv("PHALA_HOME")
	if home == "" {
		h, _ := os.UserHomeDir()
		home = filepath.Join(h, ".phala")
	}
	f := root.PersistentFlags()
	f.StringVar(&e.home, "home", home, "folder of configuration, keys and pending calls (PHALA_HOME)")
	f.StringVarP(&e.output, "output", "o", "text", "text or json")
	f.StringVar(&e.flags.RPC, "rpc", "", "URL of a node")
	f.StringSliceVar(&e.flags.Gateways, "gateway", nil, "URL of a member's gateway; repeat for more (default: those on the chain)")
	f.StringVar(&e.flags.Genesis, "genesis", "", "genesis file: where trust starts")
	f.StringVar(&e.flags.Keyring, "keyring", "", "how new keys are kept: file (with a passphrase) or test (plain)")
	f.StringVar(&e.passFile, "passphrase-file", "", "file with the keyring's passphrase")
	f.BoolVar(&e.noInput, "no-input", false, "never ask; fail instead")
	root.AddCommand(devCmd(e), keysCmd(e), clusterCmd(e), gatekeeperCmd(e), escrowCmd(e), contractCmd(e), resultCmd(e), receiptCmd(e), attestCmd(e), statusCmd(e), versionCmd(e), exitCodesTopic())
	return root
}

func versionCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say what this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return e.print(map[string]string{"product": "Phala in Go", "version": version}, func(w io.Writer) {
				fmt.Fprintf(w, whatThisIs, version)
			})
		},
	}
}

// config is config.json under what the flags say.
func (e *env) config() (settings, error) {
	var s settings
	b, err := os.ReadFile(filepath.Join(e.home, "config.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return s, fmt.Errorf("reading %s: %w", filepath.Join(e.home, "config.json"), err)
		}
	}
	if e.flags.RPC != "" {
		s.RPC = e.flags.RPC
	}
	if len(e.flags.Gateways) > 0 {
		s.Gateways = e.flags.Gateways
	}
	if e.flags.Genesis != "" {
		s.Genesis = e.flags.Genesis
	}
	if e.flags.Keyring != "" {
		s.Keyring = e.flags.Keyring
	}
	if s.Keyring == "" {
		s.Keyring = keys.BackendFile
	}
	return s, nil
}

// ring is the home's keyring.
func (e *env) ring() (*keys.Ring, error) {
	s, err := e.config()
	if err != nil {
		return nil, err
	}
	return &keys.Ring{Dir: filepath.Join(e.home, "keys"), Backend: s.Keyring, Pass: e.passphrase}, nil
}

// client connects, with the key of --from if there is one.
func (e *env) client(ctx context.Context, needKey bool) (*client.Client, error) {
	s, err := e.config()
	if err != nil {
		return nil, err
	}
	if s.RPC == "" || s.Genesis == "" {
		return nil, advise(errors.New("no network is configured in "+e.home), "start one with `phala dev`, or give --rpc and --genesis")
	}
	cfg := client.Config{RPC: s.RPC, Gateways: s.Gateways, Genesis: s.Genesis}
	if needKey && e.from == "" {
		return nil, advise(usage("this needs a key to sign with"), "add --from NAME; `phala keys list` shows the names")
	}
	if e.from != "" {
		r, err := e.ring()
		if err != nil {
			return nil, err
		}
		if cfg.Key, err = r.Get(e.from); err != nil {
			return nil, err
		}
	}
	return client.Open(ctx, cfg)
}

func (e *env) pendingDir() string { return filepath.Join(e.home, "pending") }

// passphrase comes from a file, the environment or the terminal.
func (e *env) passphrase(confirm bool) ([]byte, error) {
	file := e.passFile
	if file == "" {
		file = os.Getenv("PHALA_PASSPHRASE_FILE")
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the passphrase: %w", err)
		}
		return checkPass(bytes.TrimRight(b, "\r\n"))
	}
	f, ok := e.in.(*os.File)
	if e.noInput || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, advise(errors.New("a passphrase is needed and nobody can be asked"), "give --passphrase-file FILE; for a development network use --keyring test")
	}
	ask := func(text string) ([]byte, error) {
		fmt.Fprint(e.err, text)
		defer fmt.Fprintln(e.err)
		return term.ReadPassword(int(f.Fd()))
	}
	pass, err := ask("Passphrase of the keyring: ")
	if err != nil || !confirm {
		return pass, err
	}
	again, err := ask("Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(pass, again) {
		return nil, errors.New("the two differ")
	}
	return checkPass(pass)
}

func checkPass(b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, errors.New("a passphrase has at least 8 characters")
	}
	return b, nil
}

// print gives the result: data for machines, or text for people.
func (e *env) print(data any, text func(io.Writer)) error {
	if e.output == "json" {
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(data)
	}
	text(e.out)
	return nil
}

// say tells a person at a terminal how a waiting command is getting on.
func (e *env) say(format string, args ...any) {
	f, ok := e.err.(*os.File)
	if e.progress || ok && term.IsTerminal(int(f.Fd())) && e.output == "text" {
		fmt.Fprintf(e.err, format+"\n", args...)
	}
}

// waitFlags are of commands that sign and wait.
func (e *env) waitFlags(c *cobra.Command) {
	c.Flags().StringVar(&e.from, "from", "", "name of the key that signs")
	c.Flags().BoolVar(&e.progress, "progress", false, "show progress even if this is no terminal")
}

func oneOf(value string, all map[string]int32) (int32, error) {
	if v, ok := all[value]; ok {
		return v, nil
	}
	var names []string
	for n := range all {
		names = append(names, n)
	}
	return 0, usage("%q: want one of %s", value, strings.Join(names, ", "))
}
