package eval

import (
	"time"

	"github.com/millrace/millrace/types"
)

// timeOfDay is timeofday(): the wall clock as text, in the session's zone.
func timeOfDay(x *row) (types.Value, error) {
	now := x.now()
	if clock := x.f.ctx.Clock; clock != nil {
		now = clock()
	}
	local := time.UnixMicro(x.f.ctx.zone().ToLocal(now)).UTC()
	name := x.f.ctx.zone().Abbreviation(now)
	return strValue(local.Format("Mon Jan 02 15:04:05.000000 2006 ") + name), nil
}
