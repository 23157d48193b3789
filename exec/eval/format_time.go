package eval

import (
	"strings"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/planner/scalar"
	"github.com/millrace/millrace/types"
)

// timeFormat is a template of to_char or date_format that is known beforehand.
// Times come roughly in order, so most rows have the text of the row before:
// the template's finest unit tells how far a text holds.
type timeFormat struct {
	unit   int64 // the text is the same within a unit of time
	zoned  bool  // the argument is turned into local time first
	offset bool  // the text tells the zone: it depends on more than local time
	format func(ctx *Context, v int64) string

	lo, hi int64 // text is the text of times in [lo, hi)
	text   string
}

// formatKernel makes to_char and date_format with a constant template, nil for
// others.
func formatKernel(e *scalar.Expr, fn *scalar.Function) kernel {
	p := e.Args[1]
	if p.Op != scalar.OpConst || p.Value == nil || p.Value.Null || p.Value.Bytes == "" {
		return nil
	}
	t := &timeFormat{zoned: fn.Args[0].Kind == types.TimestampTZ}
	template := p.Value.Bytes
	if fn.Name == "date_format" {
		t.unit = javaUnit(template)
		t.format = func(ctx *Context, v int64) string { return formatJava(localFields(ctx, v, t.zoned), template) }
	} else {
		parts, _ := parseTimeTemplate(template, false) // only the standard's form has errors
		t.unit, t.offset = templateUnit(parts)
		t.format = func(ctx *Context, v int64) string {
			s, _ := localFields(ctx, v, t.zoned).format(parts) // only intervals have errors
			return s
		}
	}
	return t.run
}

func (t *timeFormat) run(f *frame, c *call, sel []uint16) {
	if sel == nil {
		sel = allRows(f.n)
	}
	z := f.ctx.zone()
	local := t.zoned && !t.offset
	if local {
		t.lo, t.hi = 0, 0 // the zone may be another one than last time
	}
	a, out := c.cols[0].Int, c.out.Views
	var view batch.View
	placed := false
	for _, i := range sel {
		at := a[i]
		if local {
			at = z.ToLocal(at)
		}
		if !placed || at < t.lo || at >= t.hi {
			if types.IsInfinite(a[i]) {
				c.null(f, int(i))
				continue
			}
			if at < t.lo || at >= t.hi || t.offset {
				t.text = t.format(f.ctx, a[i])
				t.lo = types.FloorDiv(at, t.unit) * t.unit
				t.hi = t.lo + t.unit
			}
			view, placed = c.out.AddStr(t.text), true
		}
		out[i] = view
	}
}

// localFields takes a time apart as the session's zone shows it.
func localFields(ctx *Context, v int64, zoned bool) *timeFields {
	if !zoned {
		f := fieldsOf(v)
		return &f
	}
	z := ctx.zone()
	f := fieldsOf(z.ToLocal(v))
	f.zone, f.offset = z.Abbreviation(v), z.OffsetAt(v)
	return &f
}

// templateUnit is the finest unit of time that a template shows, and whether it
// shows the zone.
func templateUnit(parts []timeNode) (unit int64, offset bool) {
	unit = types.MicrosPerDay
	for _, p := range parts {
		switch p.word {
		case "TZ", "TZH", "TZM", "OF":
			return 1, true
		case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
			unit = 1
		case "SS", "SSSS", "SSSSS":
			unit = min(unit, types.MicrosPerSecond)
		case "MI":
			unit = min(unit, types.MicrosPerMinute)
		case "HH", "HH12", "HH24", "AM", "PM", "A.M.", "P.M.":
			unit = min(unit, types.MicrosPerHour)
		}
	}
	return unit, false
}

// javaUnit is templateUnit for date_format.
func javaUnit(template string) int64 {
	switch {
	case strings.Contains(template, "S"):
		return 1
	case strings.Contains(template, "s"):
		return types.MicrosPerSecond
	case strings.Contains(template, "m"):
		return types.MicrosPerMinute
	case strings.ContainsAny(template, "Hha"):
		return types.MicrosPerHour
	}
	return types.MicrosPerDay
}
