package cosmwasm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/engine"
)

// TestIBCReflectSend is that contract's own tests, by its entry points: the handshake, the answer to who it is elsewhere, and what it
// sends over the channel.
func TestIBCReflectSend(t *testing.T) {
	const version, id = "ibc-reflect-v1", "channel-1234"
	w := newWorld(t)
	creator, remote := account("creator"), account("remote")
	a := w.made(w.upload(wasmd, "tests/integration/testdata/ibc_reflect_send.wasm"), creator, `{}`, "")
	enter := func(entry engine.Entry, msg string) (*engine.Response, error) {
		t.Helper()
		out, err := w.enter(a, entry, msg, engine.MigrateInfo{})
		return out.Response, err
	}
	w.asks(a, `{"admin":{}}`, `{"admin":"`+creator+`"}`)
	w.asks(a, `{"list_accounts":{}}`, `{"accounts":[]}`)

	for _, c := range []struct{ order, version, want string }{
		{"ORDER_ORDERED", version, ""},
		{"ORDER_UNORDERED", version, "Only supports ordered channels"},
		{"ORDER_ORDERED", "reflect", "Must set version to `ibc-reflect-v1`"},
	} {
		_, err := enter(engine.IBCChannelOpen, `{"open_init":{"channel":`+channel(id, c.order, c.version)+`}}`)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %q", c.order, c.version, err, c.want)
		}
	}
	r, err := enter(engine.IBCChannelConnect, `{"open_ack":{"channel":`+channel(id, "ORDER_ORDERED", version)+`,"counterparty_version":"`+version+`"}}`)
	if err != nil {
		t.Fatal(err)
	}
	who := sent(t, r)
	if who.Channel != id || string(who.Data) != `{"who_am_i":{}}` {
		t.Errorf("connecting sends %s over %s", who.Data, who.Channel)
	}
	w.asks(a, `{"account":{"channel_id":"`+id+`"}}`, `{"last_update_time":"0","remote_addr":null,"remote_balance":[]}`)

	ack := func(packet []byte, answer string) {
		t.Helper()
		msg := fmt.Sprintf(`{"acknowledgement":{"data":%q},"original_packet":{"data":%q,"src":{"port_id":"my_port","channel_id":%q},"dest":{"port_id":"their_port","channel_id":"channel-7"},`+
			`"sequence":1,"timeout":{"block":null,"timestamp":"1"}},"relayer":%q}`, b64(answer), b64(string(packet)), id, account("relayer"))
		if r, err := enter(engine.IBCPacketAck, msg); err != nil || len(r.Messages) != 0 {
			t.Errorf("%s answered by %s: %+v, %v", packet, answer, r, err)
		}
	}
	ack(who.Data, `{"ok":{"account":"`+remote+`"}}`)
	w.asks(a, `{"account":{"channel_id":"`+id+`"}}`, `{"last_update_time":"0","remote_addr":"`+remote+`","remote_balance":[]}`)

	pay := `{"bank":{"send":{"to_address":"friend","amount":[{"denom":"uatom","amount":"1"}]}}}`
	if r, err = enter(engine.Execute, `{"send_msgs":{"channel_id":"`+id+`","msgs":[`+pay+`]}}`); err != nil {
		t.Fatal(err)
	}
	dispatch := sent(t, r)
	if want := `{"dispatch":{"msgs":[` + pay + `]}}`; string(dispatch.Data) != want {
		t.Errorf("it sends %s, want %s", dispatch.Data, want)
	}
	ack(dispatch.Data, `{"ok":null}`)
	if r, err = enter(engine.Execute, `{"check_remote_balance":{"channel_id":"`+id+`"}}`); err != nil {
		t.Fatal(err)
	}
	balances := sent(t, r)
	ack(balances.Data, `{"ok":{"account":"`+remote+`","balances":[{"denom":"uatom","amount":"12"}]}}`)
	if got := w.query(a, `{"account":{"channel_id":"`+id+`"}}`); !strings.Contains(got, `"remote_balance":[{"denom":"uatom","amount":"12"}]`) || strings.Contains(got, `"last_update_time":"0"`) {
		t.Errorf("after it has asked: %s", got)
	}

	funds := func(channel string) (*engine.Response, error) {
		return enter(engine.Execute, fmt.Sprintf(`{"send_funds":{"reflect_channel_id":%q,"transfer_channel_id":"transfer-1"}}`, channel))
	}
	if _, err = funds(id); err == nil || !strings.Contains(err.Error(), "you must send the coins") {
		t.Errorf("without coins: %v", err)
	}
	w.funds = []engine.Coin{{Denom: "utgd", Amount: "123"}}
	if _, err = funds("channel-9"); err == nil || !strings.Contains(err.Error(), "account channel-9 not found") {
		t.Errorf("over no channel: %v", err)
	}
	r, err = funds(id)
	if err != nil || len(r.Messages) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if m := string(r.Messages[0].Msg); !strings.HasPrefix(m, `{"ibc":{"transfer":{"channel_id":"transfer-1","to_address":"`+remote+`","amount":{"denom":"utgd","amount":"123"}`) {
		t.Errorf("funds go by %s", m)
	}
}

type packet struct {
	Channel string `json:"channel_id"`
	Data    []byte `json:"data"`
}

// sent is the one packet that a response sends.
func sent(t *testing.T, r *engine.Response) packet {
	t.Helper()
	var m struct {
		IBC struct {
			Packet *packet `json:"send_packet"`
		} `json:"ibc"`
	}
	if len(r.Messages) != 1 || json.Unmarshal(r.Messages[0].Msg, &m) != nil || m.IBC.Packet == nil {
		t.Fatalf("no packet: %+v", r)
	}
	return *m.IBC.Packet
}

// TestIBCCallbacks: the two callbacks are counted, each where it belongs.
func TestIBCCallbacks(t *testing.T) {
	w := newWorld(t)
	a := w.made(w.upload(wasmd, "tests/e2e/testdata/ibc_callbacks.wasm"), account("creator"), `{}`, "")
	stats := func(acks, timeouts, arrivals int) {
		t.Helper()
		var s struct {
			Acks     []json.RawMessage `json:"ibc_ack_callbacks"`
			Timeouts []json.RawMessage `json:"ibc_timeout_callbacks"`
			Arrivals []json.RawMessage `json:"ibc_destination_callbacks"`
		}
		if err := json.Unmarshal([]byte(w.query(a, `{"callback_stats":{}}`)), &s); err != nil || len(s.Acks) != acks || len(s.Timeouts) != timeouts || len(s.Arrivals) != arrivals {
			t.Errorf("%d, %d and %d callbacks, %v; want %d, %d and %d", len(s.Acks), len(s.Timeouts), len(s.Arrivals), err, acks, timeouts, arrivals)
		}
	}
	stats(0, 0, 0)
	p := `{"data":"","src":{"port_id":"a","channel_id":"b"},"dest":{"port_id":"transfer","channel_id":"c"},"sequence":1,"timeout":{"block":null,"timestamp":"1"}}`
	relayer := account("relayer")
	for _, c := range []struct {
		entry engine.Entry
		msg   string
	}{
		{engine.IBCSource, `{"acknowledgement":{"acknowledgement":{"data":"AQ=="},"original_packet":` + p + `,"relayer":"` + relayer + `"}}`},
		{engine.IBCSource, `{"timeout":{"packet":` + p + `,"relayer":"` + relayer + `"}}`},
	} {
		if _, err := w.enter(a, c.entry, c.msg, engine.MigrateInfo{}); err != nil {
			t.Errorf("%s: %v", c.entry, err)
		}
	}
	stats(1, 1, 0)
	for entry, want := range map[engine.Entry]string{engine.IBCSource: "unknown variant", engine.IBCDestination: "missing field", engine.IBCPacketReceive: "no such entry point"} {
		if _, err := w.enter(a, entry, `{"x":{}}`, engine.MigrateInfo{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", entry, err, want)
		}
	}
	w.refused(a, account("creator"), `{"transfer":{"to_address":"x","channel_id":"channel-1","timeout_seconds":10,"callback_type":"both"}}`, "Must send exactly one denom")
}

// TestIBC2 calls the entry points of IBC's second version: each counts.
func TestIBC2(t *testing.T) {
	w := newWorld(t)
	a := w.made(w.upload(wasmd, "tests/e2e/testdata/ibc2.wasm"), account("creator"), `{}`, "")
	payload := `{"source_port":"a","destination_port":"b","version":"v","encoding":"application/json","value":"` + b64(`{"response_without_ack":false,"send_async_ack_for_prev_msg":false}`) + `"}`
	relayer := account("relayer")
	rest := `"source_client":"c1","destination_client":"c2","packet_sequence":3,"relayer":"` + relayer + `"`
	for entry, msg := range map[engine.Entry]string{
		engine.IBC2PacketReceive: `{"payload":` + payload + `,` + rest + `}`,
		engine.IBC2PacketAck:     `{"acknowledgement":"","data":` + payload + `,"payload":` + payload + `,` + rest + `}`,
		engine.IBC2PacketTimeout: `{"payload":` + payload + `,` + rest + `}`,
	} {
		if _, err := w.enter(a, entry, msg, engine.MigrateInfo{}); err != nil {
			t.Errorf("%s: %v", entry, err)
		}
	}
	var s struct {
		Acks     int `json:"ibc2_packet_ack_counter"`
		Receives int `json:"ibc2_packet_receive_counter"`
		Timeouts int `json:"ibc2_packet_timeout_counter"`
	}
	if err := json.Unmarshal([]byte(w.query(a, `{"query_state":{}}`)), &s); err != nil || s.Acks != 1 || s.Receives != 1 || s.Timeouts != 1 {
		t.Errorf("it has counted %+v, %v", s, err)
	}
}
