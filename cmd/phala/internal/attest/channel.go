package attest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/client/channel"
	attested "github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// channelVerdict is who is at the other end of a channel.
type channelVerdict struct {
	*verdict
	Channel     string `json:"channel"` // host:port
	Worker      string `json:"worker"`  // as the evidence names it
	Role        string `json:"role"`
	IdentityKey string `json:"identity_key"`
	Software    string `json:"software"`
	ChainID     string `json:"chain_id"`
	Until       string `json:"until"`           // the certificate's end
	Height      uint64 `json:"verified_height"` // as the enclave says
}

// dialled judges whoever answers at a channel's address, by the chain's policy.
func (s *source) dialled(ctx context.Context, e Env, role wire.Role, measurement []byte) error {
	o := channel.Options{Role: role, Any: s.worker == "", Now: e.Now}
	if s.worker != "" {
		var err error
		if o.Worker, err = workerRef(e, s.worker); err != nil {
			return err
		}
	}
	c, err := e.Node(ctx)
	if err != nil {
		return err
	}
	o.Chain = channel.Of(c)
	conn, err := channel.Dial(ctx, s.channel, o)
	var refused *channel.Refused
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	var v *channelVerdict
	if refused != nil {
		v = describeChannel(s.channel, refused.Verdict)
	} else {
		defer conn.Close()
		v = describeChannel(s.channel, conn.Verdict())
		id, err := conn.Hello(ctx)
		if err != nil {
			return err
		}
		v.Height = id.VerifiedHeight
	}
	if len(measurement) != 0 && v.Measurement != "" && !bytes.Equal(measurement, v.claims.Measurement) {
		v.refuse("unknown-measurement", "measurement", v.Measurement, hexOf(measurement), "name the enclave that runs that build")
		v.decide()
	}
	if err := e.Print(v, func(w io.Writer) { v.write(newPage(e, w)) }); err != nil {
		return err
	}
	if !v.Accepted {
		return &Refused{v.Reasons}
	}
	return nil
}

func describeChannel(address string, a attested.Verdict) *channelVerdict {
	v := &channelVerdict{Channel: address, verdict: &verdict{Kind: kindName(a.Kind), Level: a.Level, Reasons: append([]claims.Reason{}, a.Reasons...), Advisories: []string{}}}
	v.decide()
	if a.Measurement != nil {
		v.tell(a.Claims)
	}
	if a.Certificate != nil {
		id := a.Certificate.Evidence.GetIdentity()
		v.Worker, v.Role, v.IdentityKey, v.Software, v.ChainID = id.GetWorker().Name(), strings.ToLower(strings.TrimPrefix(id.GetRole().String(), "ROLE_")), hex.EncodeToString(id.GetIdentityKey()), id.GetSoftwareVersion(), id.GetChainId()
		v.Until = moment(a.Certificate.NotAfter)
	}
	return v
}

func (v *channelVerdict) write(p *page) {
	word := p.good("accepted")
	if !v.Accepted {
		word = p.bad("refused")
	}
	p.line("%s  channel at %s: TLS 1.3, X25519MLKEM768, judged by the chain's policy and registration", word, clean(v.Channel))
	p.row("worker", v.Worker)
	p.row("role", v.Role)
	p.row("identity key", v.IdentityKey)
	p.row("software", v.Software)
	p.row("chain", v.ChainID)
	v.facts(p)
	p.row("good until", v.Until)
	writeReasons(p, v.Reasons)
}

// verifyChannel is verify for --channel, which goes with --worker, --role and --measurement alone.
func (s *source) verifyChannel(cmd *cobra.Command, e Env, args []string, r *ruleFlags, measurement string) error {
	for _, name := range []string{"at", "collateral", "log", "policy", "height", "report-data", "nonce"} {
		if cmd.Flags().Changed(name) || len(args) != 0 {
			return e.Usage("--channel goes with --worker, --role and --measurement alone: the chain's policy judges, now")
		}
	}
	role, err := r.whose(e, nil)
	if err != nil {
		return err
	}
	m, err := hexFlag(e, "measurement", measurement)
	if err != nil {
		return err
	}
	return s.dialled(cmd.Context(), e, role, m)
}
