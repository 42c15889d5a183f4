package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client/keys"
)

func keysCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Account keys: add, list, show, import, delete"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "add NAME", Short: "Make a new key and show its mnemonic once", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				m, err := keys.NewMnemonic()
				if err != nil {
					return err
				}
				info, err := e.addKey(args[0], m, 0)
				if err != nil {
					return err
				}
				return e.print(struct {
					keys.Info
					Mnemonic string `json:"mnemonic"`
				}{info, m}, func(w io.Writer) {
					fmt.Fprintf(w, "%s  %s\n\nWrite these words down; they are shown once and are the key itself:\n\n  %s\n", info.Name, info.Address, m)
				})
			},
		},
		importCmd(e),
		&cobra.Command{
			Use: "list", Short: "List the keys", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				r, err := e.ring()
				if err != nil {
					return err
				}
				all, err := r.List()
				if err != nil {
					return err
				}
				if all == nil {
					all = []keys.Info{}
				}
				return e.print(all, func(w io.Writer) {
					if len(all) == 0 {
						fmt.Fprintln(w, "No keys yet: phala keys add NAME")
					}
					for _, k := range all {
						fmt.Fprintf(w, "%-12s %s  (%s)\n", k.Name, k.Address, k.Backend)
					}
				})
			},
		},
		&cobra.Command{
			Use: "show NAME", Short: "Show a key's address", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				r, err := e.ring()
				if err != nil {
					return err
				}
				k, err := r.Show(args[0])
				if err != nil {
					return err
				}
				return e.print(k, func(w io.Writer) { fmt.Fprintln(w, k.Address) })
			},
		},
		deleteCmd(e),
	)
	return cmd
}

func (e *env) addKey(name, mnemonic string, index uint32) (keys.Info, error) {
	k, err := keys.FromMnemonic(mnemonic, index)
	if err != nil {
		return keys.Info{}, err
	}
	r, err := e.ring()
	if err != nil {
		return keys.Info{}, err
	}
	return r.Add(name, k)
}

func importCmd(e *env) *cobra.Command {
	var index uint32
	var file string
	cmd := &cobra.Command{
		Use: "import NAME", Short: "Take a key from its mnemonic, read from standard input or --mnemonic-file", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			in := e.in
			if file != "" {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading the mnemonic: %w", err)
			}
			if strings.TrimSpace(line) == "" {
				return usage("no mnemonic on standard input")
			}
			info, err := e.addKey(args[0], line, index)
			if err != nil {
				return err
			}
			return e.print(info, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", info.Name, info.Address) })
		},
	}
	cmd.Flags().Uint32Var(&index, "index", 0, "account on the path m/44'/118'/0'/0/INDEX")
	cmd.Flags().StringVar(&file, "mnemonic-file", "", "file with the mnemonic")
	return cmd
}

func deleteCmd(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a key for good", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !yes {
				return advise(usage("deleting a key cannot be undone"), "say --yes if you have its mnemonic")
			}
			r, err := e.ring()
			if err != nil {
				return err
			}
			if err := r.Delete(args[0]); err != nil {
				return err
			}
			return e.print(map[string]string{"deleted": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "deleted", args[0]) })
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}
