package calls

import (
	"context"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// ContractsEnd is the first key behind all contracts' records.
func ContractsEnd() []byte { return []byte{4} }

// Sudo calls a contract for the chain itself, with all that follows. A contract that does not export sudo is left alone.
func (s *Session) Sudo(ctx context.Context, ed *state.Editor, meta *wire.Contract, msg []byte) error {
	code, err := s.Code(ctx, meta.CodeId)
	if err != nil || !code.Exports(engine.Sudo) {
		return err
	}
	_, err = s.run(ctx, ed, meta, 0, engine.Call{Entry: engine.Sudo, Msg: msg})
	return err
}
