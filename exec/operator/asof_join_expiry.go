package operator

import "github.com/millrace/millrace/exec"

// noteLeft remembers when a left row is final: rows that come later cannot match it
// or, for < and <=, cannot be nearer than its match.
func (j *asofJoin) noteLeft(id, match uint32, has bool) {
	e := j.spec.Sides[1].Expiry
	switch {
	case e == nil:
	case j.spec.Back():
		j.buckets[0].note(saturatingAdd(j.cells[0].time(j.sides[0].rows.read(id)), e.Shift), id)
	case has:
		j.buckets[0].note(saturatingAdd(j.cells[1].time(j.sides[1].rows.read(match)), e.Shift), id)
	}
}

// noteRight remembers when a right row is behind all left rows that are not final.
func (j *asofJoin) noteRight(id uint32) {
	if e := j.spec.Sides[0].Expiry; e != nil {
		shift := max(e.Shift, j.spec.Sides[1].Expiry.Shift)
		j.buckets[1].note(saturatingAdd(j.cells[1].time(j.sides[1].rows.read(id)), shift), id)
	}
}

// OnWatermark implements exec.Operator: rows that nothing can change or need any more
// are forgotten, left ones first.
func (j *asofJoin) OnWatermark(w exec.Watermark, _ exec.Output) error {
	j.watermark = w
	if j.spec.Sides[0].Expiry == nil || j.spec.AtEnd {
		return nil
	}
	j.buckets[0].due(w, func(id uint32) {
		if l := j.sides[0]; l.rows.Live(id) && l.isPresent(id) && j.isFinal(id, w) {
			j.forget(0, id)
		}
	})
	var older []uint32
	shift := max(j.spec.Sides[0].Expiry.Shift, j.spec.Sides[1].Expiry.Shift)
	j.buckets[1].due(w, func(id uint32) {
		r := j.sides[1]
		if !r.rows.Live(id) || !r.isPresent(id) || w != exec.WatermarkMax && saturatingAdd(j.cells[1].time(r.rows.read(id)), shift) >= w {
			return // it has gone, and may be another row by now
		}
		if !j.spec.Back() {
			j.forget(1, id)
			return
		}
		e := entry{r.order.prefix(r.rows.read(id)), id}
		older = older[:0]
		r.lists.scan(uint32(*j.groupAt[1].At(id)), func(x *entry) bool {
			if r.order.compareEntries(*x, e) >= 0 {
				return false
			}
			older = append(older, x.id)
			return true
		})
		for _, x := range older {
			j.forget(1, x)
		}
	})
	for _, s := range j.sides {
		s.settle()
	}
	j.dropEmptied()
	return nil
}

// isFinal reports whether no right row that comes can be nearer to a left one.
func (j *asofJoin) isFinal(id uint32, w exec.Watermark) bool {
	row, shift := j.sides[0].rows.read(id), j.spec.Sides[1].Expiry.Shift
	if j.spec.Back() {
		return saturatingAdd(j.cells[0].time(row), shift) < w
	}
	match, has := j.matchOf(row, *j.groupAt[0].At(id))
	return has && saturatingAdd(j.cells[1].time(j.sides[1].rows.read(match)), shift) < w
}

// forget removes a row of a side.
func (j *asofJoin) forget(side int, id uint32) {
	j.takeAway(j.sides[side], id, *j.groupAt[side].At(id))
}
