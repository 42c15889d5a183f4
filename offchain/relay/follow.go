package relay

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/enclave"
	"github.com/phala-go/phala/offchain/metrics"
)

const (
	batchSize  = 50  // headers in one message when catching up
	windowSize = 500 // an enclave that is further behind jumps to so many headers before the newest, which it still has a use for
	fetchers   = 8   // requests to the node at the same time when catching up

	refusedWait    = 200 * time.Millisecond // after headers were refused; longer each time
	maxRefusedWait = 5 * time.Second

	executorSpacing = 64 // light.Spacings between the old headers that an executor is brought
)

// follow brings every header, as soon as it is committed, to the enclave.
func (s *session) follow() error {
	next := s.identity.VerifiedHeight + 1
	mayJump, compared, refusals := true, false, 0
	for newest := range s.cfg.Chain.NewHeights(s.ctx) {
		s.cfg.Metrics.Put(metrics.NodeHeight, float64(newest))
		if !compared {
			if err := s.compare(next - 1); err != nil {
				return err
			}
			compared = true
		}
		if newest > windowSize+next && mayJump {
			s.log.Info("jumping to recent headers", "from", next, "to", newest-windowSize)
			if refused, err := s.jump(next, newest); err != nil {
				return err
			} else if refused {
				mayJump = false
				if next, err = s.resume(); err != nil {
					return err
				}
			} else {
				next = newest - windowSize
			}
		}
		for next <= newest && s.ctx.Err() == nil {
			last := min(newest, next+batchSize-1)
			refused, err := s.bring(upTo(next, last))
			if err != nil {
				return err
			}
			if !refused {
				s.reached(last)
				next, refusals = last+1, 0
				continue
			}
			mayJump = false
			if next, err = s.resume(); err != nil {
				return err
			}
			pause(s.ctx, min(refusedWait<<min(refusals, 8), maxRefusedWait)) // one that has seen a fork refuses for the rest of its life
			refusals++
		}
	}
	return s.ctx.Err()
}

// jump brings the old headers at which an enclave looks back over the activation delay: a gatekeeper to judge measurements and rosters,
// an executor for an escrow alone, for which few are enough.
func (s *session) jump(next, newest uint64) (refused bool, err error) {
	step := uint64(light.Spacing)
	if s.identity.Role != wire.ROLE_GATEKEEPER {
		step *= executorSpacing
	}
	for hs := range slices.Chunk(sparse(next, newest, step), batchSize) {
		if refused, err = s.bring(hs); refused || err != nil {
			return refused, err
		}
	}
	return false, nil
}

// sparse are heights of old headers: the chain's first two, which show its genesis, if the enclave has verified none, and one of each
// step up to those that are brought one by one.
func sparse(next, newest, step uint64) (out []uint64) {
	if next == 1 {
		out = upTo(1, 2)
		next = 3
	}
	first := max(next, newest-min(newest, light.History))
	for h := (first + step - 1) / step * step; h+windowSize < newest; h += step {
		out = append(out, h)
	}
	return out
}

func upTo(first, last uint64) (out []uint64) {
	for h := first; h <= last; h++ {
		out = append(out, h)
	}
	return out
}

// resume asks the enclave where it stands, after it has refused something: perhaps it stands on another chain than the node.
func (s *session) resume() (uint64, error) {
	out, err := s.call(&wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})
	if err != nil {
		return 0, err
	}
	height := out.GetIdentity().GetVerifiedHeight()
	return height + 1, s.compare(height)
}

// bring fetches headers of ascending heights and hands them over. A node that fails is asked again.
func (s *session) bring(heights []uint64) (refused bool, err error) {
	first, last := heights[0], heights[len(heights)-1]
	blocks, newest := make([][]byte, len(heights)), time.Time{}
	for try := 0; ; try++ {
		var err error
		if newest, err = s.fetch(heights, blocks); err == nil {
			break
		}
		if s.ctx.Err() != nil {
			return false, s.ctx.Err()
		}
		if try%10 == 2 {
			s.log.Warn("the node does not give headers", "first", first, "last", last, "error", err)
		}
		pause(s.ctx, min(time.Second, time.Duration(try+1)*10*time.Millisecond))
	}
	return s.hand(blocks, first, last, newest)
}

// compare shows the enclave the node's header of the newest height that it has verified. Where it has another one it has the proof of a
// fork then. From the headers that follow it might not: they are refused for their time, or led it back by a jump as if nothing had been.
func (s *session) compare(height uint64) error {
	if height == 0 {
		return nil
	}
	blocks := make([][]byte, 1)
	newest, err := s.fetch([]uint64{height}, blocks)
	if err != nil {
		s.log.Warn("the node does not give the newest header that the enclave has verified: whether both follow the same chain is not known", "height", height, "error", err)
		return s.ctx.Err()
	}
	_, err = s.hand(blocks, height, height, newest)
	return err
}

// hand gives the enclave headers from first to last, of which the last is of the time newest.
func (s *session) hand(blocks [][]byte, first, last uint64, newest time.Time) (refused bool, err error) {
	_, err = s.call(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: blocks}}})
	var f *enclave.Failure
	if errors.As(err, &f) {
		s.cfg.Metrics.Add(metrics.HeadersRefused, 1)
		s.countFailure(f.Failure)
		s.log.Warn("the enclave refused headers", "first", first, "last", last, "code", f.Code, "reason", f.Message)
		return true, nil
	}
	if err == nil {
		s.cfg.Metrics.Put(metrics.VerifiedHeight, float64(last))
		s.cfg.Metrics.Put(metrics.VerifiedTime, float64(newest.UnixMilli())/1000)
	}
	return false, err
}

// fetch gives the time in the last header too.
func (s *session) fetch(heights []uint64, blocks [][]byte) (newest time.Time, err error) {
	g, ctx := errgroup.WithContext(s.ctx)
	g.SetLimit(fetchers)
	for i := range blocks {
		g.Go(func() error {
			lb, err := s.cfg.Chain.LightBlock(ctx, heights[i])
			if err != nil {
				return err
			}
			if i == len(blocks)-1 {
				newest = lb.Time
			}
			blocks[i], err = light.Encode(lb)
			return err
		})
	}
	err = g.Wait()
	return newest, err
}
