package pgcatalog

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/types"
)

// serverProducers are the relations about the server, its roles and sessions.
func serverProducers(p map[string]producer) {
	p["pg_catalog.pg_database"] = pgDatabase
	p["pg_catalog.pg_authid"] = pgAuthid
	p["pg_catalog.pg_roles"] = pgRoles
	p["pg_catalog.pg_user"] = pgUser
	p["pg_catalog.pg_shadow"] = pgUser
	p["pg_catalog.pg_settings"] = pgSettings
	p["pg_catalog.pg_stat_activity"] = pgStatActivity
	p["pg_catalog.pg_stat_ssl"] = pgStatSSL
	p["pg_catalog.pg_stat_gssapi"] = pgStatGSSAPI
	p["pg_catalog.pg_stat_database"] = pgStatDatabase
	p["pg_catalog.pg_cursors"] = pgCursors
	p["pg_catalog.pg_prepared_statements"] = pgPreparedStatements
	p["pg_catalog.pg_timezone_names"] = pgTimezoneNames
	p["pg_catalog.pg_timezone_abbrevs"] = pgTimezoneAbbrevs
}

// database and role are the names of the one database and the one role.
func (q *query) database() string {
	if q.s != nil && q.s.Database != "" {
		return q.s.Database
	}
	return "millrace"
}

func (q *query) role() string {
	if q.s != nil && q.s.User != "" {
		return q.s.User
	}
	return "millrace"
}

func pgDatabase(q *query, out *Rows) error {
	out.Columns("oid", "datname", "datdba", "encoding", "datlocprovider", "datallowconn", "datconnlimit", "dattablespace", "datcollate", "datctype")
	out.Add(oidDatabase, q.database(), oidRole, 6, "c", true, -1, oidDefaultTablespace, "C", "C")
	return nil
}

func pgAuthid(q *query, out *Rows) error {
	out.Columns("oid", "rolname", "rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolbypassrls", "rolconnlimit")
	out.Add(oidRole, q.role(), true, true, true, true, true, true, -1)
	return nil
}

func pgRoles(q *query, out *Rows) error {
	out.Columns("oid", "rolname", "rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls",
		"rolconnlimit", "rolpassword")
	out.Add(oidRole, q.role(), true, true, true, true, true, false, true, -1, "********")
	return nil
}

func pgUser(q *query, out *Rows) error {
	out.Columns("usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd")
	out.Add(q.role(), oidRole, true, true, false, true, "********")
	return nil
}

func pgSettings(q *query, out *Rows) error {
	if q.s == nil {
		return nil
	}
	out.Columns("name", "setting", "unit", "category", "short_desc", "context", "vartype", "source", "enumvals", "boot_val", "reset_val", "pending_restart")
	for _, v := range q.s.Variables() {
		context, source := "user", "default"
		if v.ReadOnly {
			context = "internal"
		}
		if v.FromSession {
			source = "session"
		}
		var unit, enum any
		if v.Unit != "" {
			unit = v.Unit
		}
		if len(v.Enum) > 0 {
			enum = v.Enum
		}
		value, initial := v.Value, v.Initial
		if v.Unit == "ms" { // SHOW gives '5s', pg_settings the number
			value, initial = session.Milliseconds(value), session.Milliseconds(initial)
		}
		out.Add(v.Name, value, unit, v.Category, v.Doc, context, v.Kind, source, enum, v.Default, initial, false)
	}
	return nil
}

func pgStatActivity(q *query, out *Rows) error {
	if q.c.options.Sessions == nil {
		return nil
	}
	out.Columns("datid", "datname", "pid", "usesysid", "usename", "application_name", "client_addr", "client_port", "backend_start",
		"xact_start", "query_start", "state_change", "state", "query", "backend_type")
	for _, i := range q.c.options.Sessions.List() {
		var addr, port any
		if host, p, err := net.SplitHostPort(i.Remote); err == nil {
			n, _ := strconv.Atoi(p)
			addr, port = host, n
		}
		out.Add(oidDatabase, i.Database, i.PID, oidRole, i.User, i.Application, addr, port, i.Started, i.XactStart, i.QueryStart,
			i.StateChange, i.State, i.Query, "client backend")
	}
	return nil
}

func pgStatSSL(q *query, out *Rows) error {
	if q.c.options.Sessions == nil {
		return nil
	}
	out.Columns("pid", "ssl", "version", "cipher")
	for _, i := range q.c.options.Sessions.List() {
		if i.TLS == nil {
			out.Add(i.PID, false, nil, nil)
			continue
		}
		out.Add(i.PID, true, strings.Replace(tls.VersionName(i.TLS.Version), "TLS ", "TLSv", 1), tls.CipherSuiteName(i.TLS.CipherSuite))
	}
	return nil
}

func pgStatGSSAPI(q *query, out *Rows) error {
	if q.c.options.Sessions == nil {
		return nil
	}
	out.Columns("pid", "gss_authenticated", "encrypted")
	for _, i := range q.c.options.Sessions.List() {
		out.Add(i.PID, false, false)
	}
	return nil
}

func pgStatDatabase(q *query, out *Rows) error {
	n := 0
	if q.c.options.Sessions != nil {
		n = len(q.c.options.Sessions.List())
	}
	out.Columns("datid", "datname", "numbackends", "xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_returned", "tup_fetched",
		"tup_inserted", "tup_updated", "tup_deleted", "conflicts", "temp_files", "temp_bytes", "deadlocks")
	out.Add(oidDatabase, q.database(), n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // nobody counts, and tools add these up
	return nil
}

func pgCursors(q *query, out *Rows) error {
	if q.s == nil {
		return nil
	}
	out.Columns("name", "statement", "is_holdable", "is_binary", "is_scrollable", "creation_time")
	for _, c := range q.s.Cursors() {
		out.Add(c.Name, c.SQL, c.Holdable, c.Binary, c.Scroll, c.At)
	}
	return nil
}

func pgPreparedStatements(q *query, out *Rows) error {
	if q.s == nil {
		return nil
	}
	out.Columns("name", "statement", "prepare_time", "parameter_types", "from_sql")
	for _, p := range q.s.PreparedStatements() {
		oids := make([]int64, len(p.Params))
		for i, t := range p.Params {
			oids[i] = int64(t.OID())
		}
		out.Add(p.Name, p.SQL, p.At, oids, p.FromSQL)
	}
	return nil
}

// now is the time that the rows of time zones are of.
func (q *query) now() int64 { return q.c.options.Clock.Now().UnixMicro() }

func pgTimezoneNames(q *query, out *Rows) error {
	out.Columns("name", "abbrev", "utc_offset", "is_dst")
	now := q.now()
	for _, name := range types.ZoneNames() {
		z, err := types.LoadZone(name, true)
		if err != nil {
			return fmt.Errorf("list time zones: %w", err)
		}
		out.Add(name, z.Abbreviation(now), time.Duration(z.OffsetAt(now))*time.Second, z.DST(now))
	}
	return nil
}

func pgTimezoneAbbrevs(q *query, out *Rows) error {
	out.Columns("abbrev", "utc_offset", "is_dst")
	now := q.now()
	for _, name := range types.ZoneAbbreviations() {
		z, err := types.LoadZone(name, false)
		if err != nil {
			return fmt.Errorf("list abbreviations of time zones: %w", err)
		}
		out.Add(name, time.Duration(z.OffsetAt(now))*time.Second, z.DST(now))
	}
	return nil
}
