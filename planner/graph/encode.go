package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode writes the graph as stored with jobs and in savepoints: JSON, described
// in docs/formats. Equal graphs encode to equal bytes.
func Encode(g *Graph) ([]byte, error) {
	if err := Validate(g); err != nil {
		return nil, fmt.Errorf("encode graph: %w", err)
	}
	out, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("encode graph: %w", err)
	}
	return out, nil
}

// Decode reads what Encode of this version or an older one wrote. It refuses
// graphs of newer versions and damaged ones; what it returns is safe to run.
func Decode(data []byte) (*Graph, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	if head.Version < 1 || head.Version > Version {
		return nil, fmt.Errorf("decode graph: version %d is not one of 1 to %d", head.Version, Version)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	g := &Graph{}
	if err := d.Decode(g); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	if err := Validate(g); err != nil {
		return nil, fmt.Errorf("decode graph: %w", err)
	}
	for i := range g.Operators {
		g.Operators[i].Pos = -1
	}
	return g, nil
}
