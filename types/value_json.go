package types

import (
	"encoding/json"
	"fmt"
	"math"
)

// valueJSON is a Value in plans: only what is set is written.
type valueJSON struct {
	Null     bool      `json:"null,omitempty"`
	Bool     bool      `json:"bool,omitempty"`
	Int      int64     `json:"int,omitempty"`
	Float    string    `json:"float,omitempty"`
	Dec      string    `json:"dec,omitempty"`
	Bytes    *[]byte   `json:"bytes,omitempty"` // base64: may not be text
	Text     string    `json:"text,omitempty"`
	Interval *Interval `json:"interval,omitempty"`
	UUID     string    `json:"uuid,omitempty"`
}

// MarshalJSON writes the fields that are set. Numerics and floats are text, so
// that every value survives.
func (v Value) MarshalJSON() ([]byte, error) {
	j := valueJSON{Null: v.Null, Bool: v.Bool, Int: v.Int}
	if math.Float64bits(v.Float) != 0 {
		j.Float = string(AppendFloat(nil, v.Float, 64))
	}
	if v.Dec != (Decimal{}) {
		j.Dec = v.Dec.String()
	}
	if v.Bytes != "" {
		if isPlain(v.Bytes) {
			j.Text = v.Bytes
		} else {
			b := []byte(v.Bytes)
			j.Bytes = &b
		}
	}
	if v.Interval != (Interval{}) {
		j.Interval = &v.Interval
	}
	if v.UUID != ([16]byte{}) {
		j.UUID = string(AppendUUID(nil, v.UUID))
	}
	return json.Marshal(j)
}

// isPlain reports whether JSON strings carry s unchanged.
func isPlain(s string) bool {
	for _, r := range s {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0xfffd || r == 0x2028 || r == 0x2029 {
			return false
		}
	}
	return true
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(b []byte) error {
	var j valueJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("decode value: %w", err)
	}
	*v = Value{Null: j.Null, Bool: j.Bool, Int: j.Int, Bytes: j.Text}
	var err error
	if j.Float != "" {
		if v.Float, err = ParseFloat(j.Float, 64); err != nil {
			return fmt.Errorf("decode value: %w", err)
		}
	}
	if j.Dec != "" {
		if v.Dec, err = ParseDecimal(j.Dec); err != nil {
			return fmt.Errorf("decode value: %w", err)
		}
	}
	if j.Bytes != nil {
		v.Bytes = string(*j.Bytes)
	}
	if j.Interval != nil {
		v.Interval = *j.Interval
	}
	if j.UUID != "" {
		if v.UUID, err = ParseUUID(j.UUID); err != nil {
			return fmt.Errorf("decode value: %w", err)
		}
	}
	return nil
}
