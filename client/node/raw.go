package node

import (
	"github.com/cosmos/gogoproto/proto"

	"github.com/phala-go/phala/core/cosmostx"
)

// Raw is a message that is encoded already, for Send and Post: one of a module whose types are not linked.
type Raw cosmostx.Msg

// Reset empties it.
func (r *Raw) Reset() { *r = Raw{} }

// String is its type.
func (r *Raw) String() string { return r.TypeURL }

// ProtoMessage marks it as a message.
func (r *Raw) ProtoMessage() {}

func wrap(m proto.Message) (cosmostx.Msg, error) {
	if r, ok := m.(*Raw); ok {
		return cosmostx.Msg(*r), nil
	}
	return cosmostx.MsgOf(m)
}
