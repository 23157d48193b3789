package eval

import (
	"crypto/rand"
	"fmt"
	"hash/fnv"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

var otherRows = map[string]rowFn{
	"greatest":              func(x *row) (types.Value, error) { return extreme(x, 1), nil },
	"least":                 func(x *row) (types.Value, error) { return extreme(x, -1), nil },
	"num_nulls":             numNulls,
	"num_nonnulls":          numNonNulls,
	"num_nulls_variadic":    spread(numNulls, false),
	"num_nonnulls_variadic": spread(numNonNulls, false),
	"gen_random_uuid":       randomUUID, "uuid": randomUUID,
	"check_constraint": func(x *row) (types.Value, error) {
		if x.v[0].Null || x.v[0].Bool {
			return boolValue(true), nil
		}
		return types.NullValue, pgerr.New(pgerr.CheckViolation, "new row for relation %q violates check constraint %q", x.str(1), x.str(2))
	},
	"pg_typeof": func(x *row) (types.Value, error) {
		return strValue(x.typ(0).WithTypmod(-1).String()), nil
	},
	"version":            contextText(func(c *Context) string { return c.Version }),
	"current_user":       contextText(func(c *Context) string { return c.User }),
	"user":               contextText(func(c *Context) string { return c.User }),
	"current_role":       contextText(func(c *Context) string { return c.User }),
	"current_database":   contextText(func(c *Context) string { return c.Database }),
	"current_catalog":    contextText(func(c *Context) string { return c.Database }),
	"current_schema":     contextText(func(c *Context) string { return c.Schema }),
	"pg_client_encoding": func(*row) (types.Value, error) { return strValue("UTF8"), nil },
	"session_user": contextText(func(c *Context) string {
		if c.SessionUser != "" {
			return c.SessionUser
		}
		return c.User
	}),
	"current_query":  func(x *row) (types.Value, error) { return strValue(x.f.ctx.Query), nil },
	"pg_backend_pid": func(x *row) (types.Value, error) { return intValue(int64(x.f.ctx.BackendPID)), nil },
	"pg_sleep":       external,
	"pg_sleep_for":   sleepFor,
	"pg_sleep_until": sleepUntil,
	"hashtext": func(x *row) (types.Value, error) {
		h := fnv.New32a()
		h.Write([]byte(x.str(0)))
		return intValue(int64(int32(h.Sum32()))), nil
	},
	"pg_size_bytes":           sizeBytes,
	"timeofday":               timeOfDay,
	"pg_size_pretty(bigint)":  func(x *row) (types.Value, error) { return strValue(sizePretty(x.int(0))), nil },
	"pg_size_pretty(numeric)": func(x *row) (types.Value, error) { s, err := decimalSizePretty(x.dec(0)); return strValue(s), err },
}

func contextText(get func(*Context) string) rowFn {
	return func(x *row) (types.Value, error) { return strValue(get(x.f.ctx)), nil }
}

// pgSleep asks the context to wait, since expressions have no clock of their own.
// extreme is the greatest or least argument that is not null.
func extreme(x *row, sign int) types.Value {
	best := types.NullValue
	for i := range x.v {
		if !x.null(i) && (best.Null || types.Compare(x.e.Type, &x.v[i], &best)*sign > 0) {
			best = x.v[i]
		}
	}
	return best
}

func randomUUID(*row) (types.Value, error) {
	var v types.Value
	if _, err := rand.Read(v.UUID[:]); err != nil {
		return types.NullValue, fmt.Errorf("read random bytes: %w", err)
	}
	v.UUID[6] = v.UUID[6]&0x0f | 0x40
	v.UUID[8] = v.UUID[8]&0x3f | 0x80
	return v, nil
}

var sizeUnits = []string{"bytes", "kB", "MB", "GB", "TB", "PB"}

func sizePretty(n int64) string {
	units := sizeUnits
	if abs(n) < 10*1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	v := n / 512 // one bit more, to round by
	i := 1
	for abs(v) >= 20*1024-1 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if v >= 0 {
		v = (v + 1) / 2
	} else {
		v = (v - 1) / 2
	}
	return fmt.Sprintf("%d %s", v, units[i])
}

// decimalSizePretty is sizePretty for what sum() gives.
func decimalSizePretty(v types.Decimal) (string, error) {
	small := func(limit int64) bool { return v.Abs().Cmp(types.DecimalFromInt(limit)) < 0 }
	var err error
	quo := func(n int64) {
		if err == nil {
			v, err = v.QuoTrunc(types.DecimalFromInt(n))
		}
	}
	if small(10 * 1024) {
		return v.String() + " bytes", nil
	}
	quo(512) // one bit more, to round by
	i := 1
	for ; !small(20*1024-1) && i < len(sizeUnits)-1; i++ {
		quo(1024)
	}
	half := types.DecimalFromInt(1)
	if v.Sign() < 0 {
		half = half.Neg()
	}
	if v, err = v.Add(half); err != nil {
		return "", err
	}
	quo(2)
	return v.String() + " " + sizeUnits[i], err
}

// sleepFor and sleepUntil are pg_sleep for as many seconds as it takes.
func sleepFor(x *row) (types.Value, error) {
	iv := x.iv(0)
	micros := float64(iv.Micros) + float64(int64(iv.Days)+30*int64(iv.Months))*86_400_000_000
	return x.sleep(micros / 1e6)
}

func sleepUntil(x *row) (types.Value, error) {
	now := x.now()
	if clock := x.f.ctx.Clock; clock != nil {
		now = clock()
	}
	return x.sleep(float64(x.int(0)-now) / 1e6)
}

func (x *row) sleep(seconds float64) (types.Value, error) {
	if x.f.ctx.External == nil {
		return types.NullValue, pgerr.New(pgerr.FeatureNotSupported, "nobody sleeps here")
	}
	return x.f.ctx.External("pg_sleep(double precision)", []types.Value{floatValue(max(seconds, 0))}, x.e.Type)
}

func numNulls(x *row) (types.Value, error) {
	n := 0
	for i := range x.v {
		if x.null(i) {
			n++
		}
	}
	return intValue(int64(n)), nil
}

func numNonNulls(x *row) (types.Value, error) {
	n := 0
	for i := range x.v {
		if !x.null(i) {
			n++
		}
	}
	return intValue(int64(n)), nil
}
