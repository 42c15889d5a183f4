package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/escrow"
)

// custodianFile is what a custodian keeps: all that it needs, and nobody else may see.
type custodianFile struct {
	What string `json:"what"`
	Seed string `json:"seed"` // hex
}

const custodianWhat = "phala custodian's key v1: whoever has this file is the custodian"

func escrowKeyCmd(e *env) *cobra.Command {
	var file, record string
	cmd := &cobra.Command{
		Use: "key NAME", Short: "Make a custodian's key, and the public record that terms are made of", Args: cobra.ExactArgs(1),
		Long: `Make a custodian's key, and the public record that terms are made of. The key needs no network: make it on a machine
of your own, keep the file where you keep what must not be lost and must not be seen, and give away the record alone.
Where the key's file exists, its record is written anew.`,
		Example: "  phala escrow key anna --file anna.key --record anna.json",
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if file == "" {
				file = name + ".key"
			}
			k, err := readCustodian(file)
			made := errors.Is(err, fs.ErrNotExist)
			if made {
				k, err = makeCustodian(file)
			}
			if err != nil {
				return err
			}
			c := k.Custodian(name)
			b, err := json.MarshalIndent(c, "", "  ")
			if err != nil {
				return err
			}
			b = append(b, '\n')
			if record == "" {
				_, err = e.out.Write(b)
				return err
			}
			if err := os.WriteFile(record, b, 0o644); err != nil {
				return fmt.Errorf("writing the record: %w", err)
			}
			return e.print(map[string]any{"name": name, "file": file, "record": record, "made": made}, func(w io.Writer) {
				fmt.Fprintf(w, "key      %s: keep it, and show it to nobody\nrecord   %s: give it to who makes the terms\n", file, record)
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the key's file (default: NAME.key)")
	cmd.Flags().StringVar(&record, "record", "", "where to write the public record (default: standard output)")
	return cmd
}

// makeCustodian draws a key and writes it where nothing is yet.
func makeCustodian(file string) (*escrow.Key, error) {
	seed := make([]byte, escrow.SeedSize)
	rand.Read(seed)
	defer clear(seed)
	b, err := json.MarshalIndent(custodianFile{custodianWhat, hex.EncodeToString(seed)}, "", "  ")
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing the key: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("writing the key: %w", err)
	}
	return escrow.NewKey(seed)
}

// readCustodian reads a key that nobody else on this machine can read.
func readCustodian(file string) (*escrow.Key, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, advise(fmt.Errorf("others on this machine may read %s: its mode is %o", file, info.Mode().Perm()), "chmod 600 "+file)
	}
	var f custodianFile
	if err := readJSON(file, &f); err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(f.Seed)
	defer clear(seed)
	if err != nil || f.What != custodianWhat {
		return nil, fmt.Errorf("reading %s: it is no custodian's key", file)
	}
	k, err := escrow.NewKey(seed)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return k, nil
}
