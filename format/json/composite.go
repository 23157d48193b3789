package json

import (
	"github.com/millrace/millrace/types"
)

// composite turns a JSON array or object into the text form of an array or row
// type, so that the type's own input rules read it. Elements that are null
// become NULL; fields of an object are matched with the row type's by name.
func (d *Decoder) composite(dst []byte, t types.Type, depth int) ([]byte, error) {
	if depth > depthMax {
		return nil, errDepth
	}
	open := d.scan.peek()
	switch {
	case open == '[' && t.Kind == types.Array:
		return d.array(dst, t, depth)
	case open == '{' && t.Kind == types.Row:
		return d.record(dst, t, depth)
	}
	return nil, errShape
}

func (d *Decoder) array(dst []byte, t types.Type, depth int) ([]byte, error) {
	if depth > depthMax {
		return nil, errDepth
	}
	s := &d.scan
	s.pos++
	dst = append(dst, '{')
	if s.peek() == ']' {
		s.pos++
		return append(dst, '}'), nil
	}
	for {
		if s.peek() == '[' && t.Elem.Kind != types.JSONB { // a further dimension
			var err error
			if dst, err = d.array(dst, t, depth+1); err != nil {
				return nil, err
			}
		} else {
			text, null, err := d.element(*t.Elem, depth+1)
			if err != nil {
				return nil, err
			}
			if null {
				dst = append(dst, "NULL"...)
			} else {
				dst = appendQuoted(dst, text)
			}
		}
		switch s.peek() {
		case ',':
			s.pos++
			dst = append(dst, ',')
		case ']':
			s.pos++
			return append(dst, '}'), nil
		default:
			return nil, errSyntax
		}
	}
}

func (d *Decoder) record(dst []byte, t types.Type, depth int) ([]byte, error) {
	s := &d.scan
	texts := make([][]byte, len(t.Fields))
	s.pos++
	for first := true; s.peek() != '}'; first = false {
		if !first {
			if err := s.expect(','); err != nil {
				return nil, err
			}
		}
		if s.peek() != '"' {
			return nil, errSyntax
		}
		name, err := s.str()
		if err != nil {
			return nil, err
		}
		at := -1
		for i, f := range t.Fields {
			if f.Name == string(name) {
				at = i
			}
		}
		if err := s.expect(':'); err != nil {
			return nil, err
		}
		if at < 0 {
			if _, err := s.skip(depth + 1); err != nil {
				return nil, err
			}
			continue
		}
		text, null, err := d.element(t.Fields[at].Type, depth+1)
		if err != nil {
			return nil, err
		}
		if texts[at] = nil; !null {
			texts[at] = appendQuoted(nil, text)
		}
	}
	s.pos++
	dst = append(dst, '(')
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, text...)
	}
	return append(dst, ')'), nil
}

// element returns the text of one value inside an array or row.
func (d *Decoder) element(t types.Type, depth int) (text []byte, null bool, err error) {
	s := &d.scan
	c := s.peek()
	switch {
	case c == 'n':
		return nil, true, s.literal("null")
	case (c == '{' || c == '[') && (t.Kind == types.Array || t.Kind == types.Row):
		text, err = d.composite(nil, t, depth)
		return text, false, err
	case c == '"' && t.Kind != types.JSONB:
		text, err = s.str()
		return append([]byte(nil), text...), false, err
	}
	text, err = s.skip(depth)
	return text, false, err
}

func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
