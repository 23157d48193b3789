package pgcatalog

import (
	"hash/fnv"
	"sort"

	"github.com/millrace/millrace/catalog"
	"github.com/millrace/millrace/planner/scalar"
)

// OIDs that PostgreSQL's clients know by heart.
const (
	oidCatalogNamespace     = 11
	oidPublicNamespace      = 2200
	oidInformationNamespace = 13000
	oidMillraceNamespace    = 13001
	oidRole                 = 10
	oidDatabase             = 5
	oidHeap                 = 2
	oidBtree                = 403
	oidDefaultTablespace    = 1663
	oidClassClass           = 1259
	oidClassType            = 1247
	oidClassProc            = 1255
	oidClassConstraint      = 2606
	oidClassRewrite         = 2618
	oidDefaultCollation     = 100
)

// firstUserOID is where the OIDs begin that are hashes of names.
const firstUserOID = 16384

// namespace is a schema.
type namespace struct {
	oid  uint32
	name string
}

var namespaces = []namespace{
	{oidCatalogNamespace, "pg_catalog"}, {oidPublicNamespace, "public"},
	{oidInformationNamespace, "information_schema"}, {oidMillraceNamespace, "millrace"},
}

func namespaceOID(name string) uint32 {
	for _, n := range namespaces {
		if n.name == name {
			return n.oid
		}
	}
	return 0
}

// class is a relation as pg_class shows it: a relation of the catalog, a system
// relation, a sequence, or the index behind a primary key or a unique constraint.
type class struct {
	oid      uint32
	name     string
	schema   string
	kind     string // relkind
	relation *catalog.Relation
	columns  []catalog.Column
	// base and keys are of indexes: the relation and its column numbers from 1.
	base    *class
	keys    []int64
	unique  *catalog.Unique // of an index behind a constraint
	primary bool
	typeOID uint32
}

// model is what the relations of a snapshot look like to PostgreSQL's clients.
// It never changes.
type model struct {
	sequences []*sequence
	snapshot  *catalog.Snapshot
	classes   []*class
	byOID     map[uint32]*class
	byName    map[[2]string]*class
	byID      map[string]*class
	procs     []proc
	procOID   map[uint32]*proc
}

// proc is a function as pg_proc shows it.
type proc struct {
	oid uint32
	f   *scalar.Function
}

// stableOID gives a name an OID that is the same on every server and after every
// restart, unless another name has it already.
func stableOID(kind, name string, taken func(uint32) bool) uint32 {
	h := fnv.New32a()
	h.Write([]byte(kind + ":" + name))
	oid := h.Sum32()&0x7fffffff | firstUserOID
	for taken(oid) {
		oid = (oid+1)&0x7fffffff | firstUserOID
	}
	return oid
}

// model returns the model of a snapshot, the last one if it is still right.
func (c *Catalog) model(snapshot *catalog.Snapshot) *model {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || c.last.snapshot != snapshot {
		m := c.newModel(snapshot)
		if c.last != nil {
			m.procs, m.procOID = c.last.procs, c.last.procOID
		} else {
			m.addProcs()
		}
		c.last = m
	}
	return c.last
}

func (c *Catalog) newModel(snapshot *catalog.Snapshot) *model {
	m := &model{snapshot: snapshot, byOID: map[uint32]*class{}, byName: map[[2]string]*class{}, byID: map[string]*class{}, procOID: map[uint32]*proc{}}
	for _, r := range c.relations {
		d := c.byID[r.ID]
		k := &class{oid: d.oid, name: r.Name, schema: r.Schema, kind: d.relkind, relation: r, columns: r.Columns}
		if k.oid == 0 {
			k.oid = stableOID("class", r.ID, m.taken)
		}
		m.add(k)
	}
	all := snapshot.Relations()
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID }) // collisions fall the same way always
	for _, r := range all {
		if r.Kind == catalog.Index {
			continue
		}
		k := &class{oid: stableOID("class", r.ID, m.taken), name: r.Name, schema: r.Schema, kind: relkind(r), relation: r, columns: r.Columns}
		m.add(k)
		m.addKeys(k)
		m.addSequences(k)
	}
	for _, r := range all {
		if r.Kind == catalog.Index {
			m.addIndex(r)
		}
	}
	sort.SliceStable(m.classes, func(i, j int) bool {
		if m.classes[i].schema != m.classes[j].schema {
			return m.classes[i].schema < m.classes[j].schema
		}
		return m.classes[i].name < m.classes[j].name
	})
	return m
}

func (m *model) taken(oid uint32) bool { return m.byOID[oid] != nil }

func (m *model) add(k *class) {
	m.classes = append(m.classes, k)
	m.byOID[k.oid] = k
	if name := [2]string{k.schema, k.name}; k.kind != "S" || m.byName[name] == nil {
		m.byName[name] = k // a sequence's name keeps nobody from using it
	}
	if k.relation != nil {
		m.byID[k.relation.ID] = k
	}
	if k.kind != "i" && k.kind != "S" {
		k.typeOID = stableOID("type", k.schema+"."+k.name, m.taken)
	}
}

func relkind(r *catalog.Relation) string {
	switch r.Kind {
	case catalog.View:
		return "v"
	case catalog.MaterializedView:
		return "m"
	case catalog.Index:
		return "i"
	}
	return "r" // sources and sinks too, so that every tool lists them
}

// addKeys adds the indexes behind a relation's unique constraints.
func (m *model) addKeys(base *class) {
	for n, u := range base.relation.UniqueKeys() {
		if u.Index {
			continue // it is a relation of its own
		}
		k := &class{name: u.Name, schema: base.schema, kind: "i", base: base, unique: &u, primary: n == 0 && len(base.relation.PrimaryKey) > 0}
		if k.primary {
			k.oid = stableOID("pkey", base.relation.ID, m.taken)
		} else {
			k.oid = stableOID("unique", base.relation.ID+" "+u.Name, m.taken)
		}
		for _, i := range u.Columns {
			k.keys = append(k.keys, int64(i+1))
			k.columns = append(k.columns, base.columns[i])
		}
		m.add(k)
	}
}

func (m *model) addIndex(r *catalog.Relation) {
	if len(r.Depends) == 0 || m.byID[r.Depends[0]] == nil {
		return
	}
	base := m.byID[r.Depends[0]]
	k := &class{oid: stableOID("class", r.ID, m.taken), name: r.Name, schema: r.Schema, kind: "i", relation: r, base: base, columns: r.Columns}
	for _, c := range r.Columns {
		n := int64(0) // an expression
		for i, b := range base.columns {
			if b.Name == c.Name {
				n = int64(i + 1)
			}
		}
		k.keys = append(k.keys, n)
	}
	m.add(k)
}

func (m *model) addProcs() {
	scalar.All(func(f *scalar.Function) {
		if f.Operator {
			return
		}
		oid := stableOID("proc", f.Key, func(oid uint32) bool { return m.procOID[oid] != nil })
		p := proc{oid, f}
		m.procOID[oid] = &p
		m.procs = append(m.procs, p)
	})
	sort.Slice(m.procs, func(i, j int) bool { return m.procs[i].f.Key < m.procs[j].f.Key })
}

// indexes lists a relation's indexes, the primary key's first.
func (m *model) indexes(base *class) []*class {
	var out []*class
	for _, k := range m.classes {
		if k.kind == "i" && k.base == base {
			out = append(out, k)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].primary && !out[j].primary })
	return out
}
