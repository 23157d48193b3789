package session

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/memory"
	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// Definition is a setting that there is.
type Definition struct {
	Name     string // as SHOW prints it; looked up in lower case
	Default  string
	Kind     string // pg_settings.vartype: bool, integer, real, string, enum
	Unit     string // pg_settings.unit
	Category string
	Doc      string
	ReadOnly bool
	Report   bool // clients are told of every change
	Enum     []string
	// Check validates a value and brings it into the form in which it is shown.
	Check func(string) (string, error)
}

func (d *Definition) key() string { return strings.ToLower(d.Name) }

const (
	catClient  = "Client Connection Defaults / Statement Behavior"
	catLocale  = "Client Connection Defaults / Locale and Formatting"
	catReport  = "Reporting and Logging / What to Log"
	catPreset  = "Preset Options"
	catCompat  = "Version and Platform Compatibility / Previous PostgreSQL Versions"
	catPlanner = "Query Tuning / Planner Method Configuration"
)

// definitions lists the settings in no order that matters. Those that change
// nothing here are accepted because clients and dump files set them.
var definitions = []Definition{
	{Name: "application_name", Kind: "string", Category: catReport, Doc: "Sets the application name to be reported in statistics and logs.", Report: true, Check: printable},
	{Name: "backslash_quote", Default: "safe_encoding", Kind: "enum", Category: catCompat, Doc: "Sets whether \"\\'\" is allowed in string literals.", Check: oneOf("safe_encoding", "on", "off")},
	boolean("allow_system_table_mods", "off", "Developer Options", "Accepted; system tables cannot be modified."),
	boolean("array_nulls", "on", catCompat, "Enables input of NULL elements in arrays."),
	{Name: "bytea_output", Default: "hex", Kind: "enum", Category: catClient, Doc: "Sets the output format for bytea.", Enum: []string{"hex"}, Check: oneOf("hex")},
	boolean("check_function_bodies", "on", catClient, "Accepted without effect."),
	{Name: "client_encoding", Default: "UTF8", Kind: "string", Category: catLocale, Doc: "Sets the client's character set encoding.", Report: true, Check: encoding},
	{Name: "client_min_messages", Default: "notice", Kind: "enum", Category: catClient, Doc: "Sets the message levels that are sent to the client.", Enum: minMessages, Check: oneOf(minMessages...)},
	{Name: "DateStyle", Default: "ISO, MDY", Kind: "string", Category: catLocale, Doc: "Sets the display format for date and time values.", Report: true, Check: dateStyle},
	boolean("default_transaction_deferrable", "off", catClient, "Sets the default deferrable status of new transactions."),
	{Name: "default_transaction_isolation", Default: "read committed", Kind: "enum", Category: catClient, Doc: "Sets the transaction isolation level of each new transaction.", Enum: isolation, Check: oneOf(isolation...)},
	reported(boolean("default_transaction_read_only", "off", catClient, "Sets the default read-only status of new transactions.")),
	{Name: "default_table_access_method", Default: "heap", Kind: "string", Category: catClient, Doc: "Accepted without effect."},
	{Name: "default_tablespace", Kind: "string", Category: catClient, Doc: "Accepted without effect."},
	{Name: "default_text_search_config", Default: "pg_catalog.simple", Kind: "string", Category: catLocale, Doc: "Accepted without effect."},
	boolean("default_with_oids", "off", catCompat, "Accepted without effect."),
	boolean("enable_hashjoin", "on", catPlanner, "Accepted without effect."),
	boolean("enable_indexscan", "on", catPlanner, "Accepted without effect."),
	boolean("enable_mergejoin", "on", catPlanner, "Accepted without effect."),
	boolean("enable_nestloop", "on", catPlanner, "Accepted without effect."),
	boolean("enable_seqscan", "on", catPlanner, "Accepted without effect."),
	boolean("escape_string_warning", "on", catCompat, "Warn about backslash escapes in ordinary string literals."),
	{Name: "extra_float_digits", Default: "1", Kind: "integer", Category: catLocale, Doc: "Sets the number of digits displayed for floating-point values.", Check: integer(-15, 3)},
	duration("idle_in_transaction_session_timeout", "Sets the maximum allowed idle time between queries, when in a transaction."),
	duration("idle_session_timeout", "Sets the maximum allowed idle time between queries, when not in a transaction."),
	preset("in_hot_standby", "off", true),
	preset("integer_datetimes", "on", true),
	{Name: "IntervalStyle", Default: "postgres", Kind: "enum", Category: catLocale, Doc: "Sets the display format for interval values.", Report: true, Enum: []string{"postgres"}, Check: oneOf("postgres")},
	preset("is_superuser", "on", true),
	boolean("jit", "off", catPlanner, "Accepted without effect."),
	preset("lc_collate", "C", false),
	preset("lc_ctype", "C", false),
	{Name: "lc_messages", Default: "C", Kind: "string", Category: catLocale, Doc: "Accepted without effect."},
	{Name: "lc_monetary", Default: "C", Kind: "string", Category: catLocale, Doc: "Accepted without effect."},
	{Name: "lc_numeric", Default: "C", Kind: "string", Category: catLocale, Doc: "Accepted without effect."},
	{Name: "lc_time", Default: "C", Kind: "string", Category: catLocale, Doc: "Accepted without effect."},
	duration("lock_timeout", "Sets the maximum allowed duration of any wait for a lock; nothing here waits for one."),
	{Name: "maintenance_work_mem", Default: "64MB", Kind: "string", Category: "Resource Usage / Memory", Doc: "Accepted without effect."},
	preset("max_identifier_length", "63", false),
	preset("max_index_keys", "32", false),
	{Name: "password_encryption", Default: "scram-sha-256", Kind: "enum", Category: "Connections and Authentication / Authentication", Doc: "The algorithm for passwords.", Enum: []string{"scram-sha-256"}, Check: oneOf("scram-sha-256")},
	{Name: "plan_cache_mode", Default: "auto", Kind: "enum", Category: catPlanner, Doc: "Accepted without effect.", Check: oneOf("auto", "force_generic_plan", "force_custom_plan")},
	{Name: "query_memory_limit", Default: "0", Kind: "string", Category: "Resource Usage / Memory", Doc: "Sets the maximum memory to be used by any statement; 0 is half of what the server may use.", Check: size},
	boolean("quote_all_identifiers", "off", catCompat, "When generating SQL fragments, quote all identifiers."),
	{Name: "role", Default: "none", Kind: "string", Category: catClient, Doc: "Sets the current role; there is one."},
	boolean("row_security", "on", catClient, "Accepted without effect."),
	{Name: "search_path", Default: `"$user", public`, Kind: "string", Category: catClient, Doc: "Sets the schema search order for names that are not schema-qualified."},
	preset("server_encoding", "UTF8", true),
	preset("server_version", "15.0", true),
	preset("server_version_num", "150000", false),
	{Name: "session_authorization", Kind: "string", Category: catPreset, Doc: "Shows the session user name.", Report: true, Check: func(v string) (string, error) { return v, nil }},
	{Name: "session_replication_role", Default: "origin", Kind: "enum", Category: catClient, Doc: "Accepted without effect.", Check: oneOf("origin", "replica", "local")},
	reported(boolean("standard_conforming_strings", "on", catCompat, "Causes '...' strings to treat backslashes literally.")),
	duration("statement_timeout", "Sets the maximum allowed duration of any statement."),
	boolean("synchronize_seqscans", "on", catCompat, "Accepted without effect."),
	{Name: "synchronous_commit", Default: "on", Kind: "enum", Category: "Write-Ahead Log / Settings", Doc: "Accepted without effect: a commit is always durable.", Check: oneOf("on", "off", "local", "remote_write", "remote_apply")},
	{Name: "TimeZone", Default: "UTC", Kind: "string", Category: catLocale, Doc: "Sets the time zone for displaying and interpreting time stamps.", Report: true, Check: timeZone},
	{Name: "transaction_isolation", Default: "read committed", Kind: "enum", Category: catClient, Doc: "Shows the isolation level of the current transaction.", Enum: isolation, Check: oneOf(isolation...)},
	boolean("transaction_deferrable", "off", catClient, "Accepted without effect."),
	boolean("transaction_read_only", "off", catClient, "Sets the current transaction's read-only status."),
	boolean("transform_null_equals", "off", catCompat, "Treats \"expr=NULL\" as \"expr IS NULL\"; cannot be turned on."),
	{Name: "work_mem", Default: "4MB", Kind: "string", Category: "Resource Usage / Memory", Doc: "Accepted without effect."},
	{Name: "xmloption", Default: "content", Kind: "enum", Category: catClient, Doc: "Accepted without effect.", Check: oneOf("content", "document")},
}

var (
	minMessages = []string{"debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning", "error"}
	isolation   = []string{"serializable", "repeatable read", "read committed", "read uncommitted"}
)

func boolean(name, value, category, doc string) Definition {
	return Definition{Name: name, Default: value, Kind: "bool", Category: category, Doc: doc, Check: func(v string) (string, error) {
		switch l := strings.ToLower(v); {
		case l == "on" || l == "1" || l != "" && (strings.HasPrefix("true", l) || strings.HasPrefix("yes", l)):
			return "on", nil
		case l == "off" || l == "0" || l != "" && (strings.HasPrefix("false", l) || strings.HasPrefix("no", l)) || l == "of":
			return "off", nil
		}
		return v, pgerr.New(pgerr.InvalidParameterValue, "parameter %q requires a Boolean value", name)
	}}
}

// size is a setting that is a number of bytes.
func size(v string) (string, error) {
	if _, ok := memory.ParseSize(v); !ok {
		return v, invalid("It takes " + memory.SizeForm + ".")
	}
	return v, nil
}

func reported(d Definition) Definition {
	d.Report = true
	return d
}

func preset(name, value string, report bool) Definition {
	return Definition{Name: name, Default: value, Kind: "string", Category: catPreset, ReadOnly: true, Report: report, Doc: "Shows a property of the server."}
}

func duration(name, doc string) Definition {
	return Definition{Name: name, Default: "0", Kind: "integer", Unit: "ms", Category: catClient, Doc: doc, Check: func(v string) (string, error) {
		d, ok := parseDuration(v, time.Millisecond)
		if !ok {
			return v, invalid("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".")
		}
		if d < 0 || d > math.MaxInt32*time.Millisecond {
			return v, pgerr.New(pgerr.InvalidParameterValue, "%d ms is outside the valid range for parameter %q (0 .. 2147483647)", d.Milliseconds(), name)
		}
		return showDuration(d), nil
	}}
}

// invalid is the error of a bad value; assign names parameter and value.
func invalid(hint string) error {
	e := pgerr.New(pgerr.InvalidParameterValue, "")
	e.HintText = hint
	return e
}

func oneOf(values ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		for _, x := range values {
			if strings.EqualFold(v, x) {
				return x, nil
			}
		}
		return v, invalid("Available values: " + strings.Join(values, ", ") + ".")
	}
}

func integer(lo, hi int) func(string) (string, error) {
	return func(v string) (string, error) {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return v, invalid("")
		}
		if n < lo || n > hi {
			return v, pgerr.New(pgerr.InvalidParameterValue, "%d is outside the valid range (%d .. %d)", n, lo, hi)
		}
		return strconv.Itoa(n), nil
	}
}

// printable replaces what is not ASCII, as PostgreSQL does in names it logs.
func printable(v string) (string, error) {
	b := []byte(v)
	for i, c := range b {
		if c < 32 || c > 126 {
			b[i] = '?'
		}
	}
	return string(b), nil
}

func encoding(v string) (string, error) {
	switch strings.NewReplacer("-", "", "_", "", "'", "").Replace(strings.ToUpper(v)) {
	case "UTF8", "UNICODE":
		return "UTF8", nil
	case "SQLASCII": // libpq's default without a locale; what is sent back is UTF8 all the same
		return "SQL_ASCII", nil
	}
	return v, invalid("Only UTF8 is supported.")
}

// dateStyle takes the one style that dates are shown and read in; another order
// would have 01/02/2024 read as another day than asked for.
func dateStyle(v string) (string, error) {
	for _, part := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }) {
		switch strings.ToUpper(part) {
		case "ISO", "DEFAULT", "MDY", "US", "NONEURO", "NONEUROPEAN":
		default:
			return v, invalid("Dates are shown in ISO style, and read with the month first where they are not ISO: ISO, MDY.")
		}
	}
	return "ISO, MDY", nil
}

// timeZone accepts names, offsets in hours (positive to the east) and POSIX
// offsets (positive to the west).
func timeZone(v string) (string, error) {
	if strings.EqualFold(v, "local") || strings.EqualFold(v, "default") {
		return "UTC", nil
	}
	if h, err := strconv.ParseFloat(v, 64); err == nil && math.Abs(h) <= 15 {
		v = offsetName(int64(h * 3600))
	}
	z, err := types.LoadZone(v, true)
	if err != nil {
		return v, invalid("Use a name such as Europe/Berlin, or hours east of Greenwich.")
	}
	return z.Name(), nil
}

// offsetName names an offset as PostgreSQL shows it: POSIX style, sign reversed.
func offsetName(east int64) string {
	sign, back, abs := "+", "-", east
	if east < 0 {
		sign, back, abs = "-", "+", -east
	}
	hm := fmt.Sprintf("%02d", abs/3600)
	if abs%3600 != 0 {
		hm += fmt.Sprintf(":%02d", abs%3600/60)
	}
	return "<" + sign + hm + ">" + back + hm
}

// parseDuration reads PostgreSQL's times such as 500, 5s, '2 min'; a bare number
// is in units of unit.
func parseDuration(v string, unit time.Duration) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	i := len(v)
	for i > 0 && !(v[i-1] >= '0' && v[i-1] <= '9' || v[i-1] == '.') {
		i--
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v[:i]), 64)
	if err != nil {
		return 0, false
	}
	switch strings.TrimSpace(v[i:]) {
	case "":
	case "us":
		unit = time.Microsecond
	case "ms":
		unit = time.Millisecond
	case "s":
		unit = time.Second
	case "min":
		unit = time.Minute
	case "h":
		unit = time.Hour
	case "d":
		unit = 24 * time.Hour
	default:
		return 0, false
	}
	if math.Abs(n*float64(unit)) > math.MaxInt64/2 {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// showDuration writes a time as PostgreSQL shows settings: in the largest unit
// that divides it.
func showDuration(d time.Duration) string {
	ms := d.Milliseconds()
	switch {
	case ms == 0:
		return "0"
	case ms%86400000 == 0:
		return fmt.Sprintf("%dd", ms/86400000)
	case ms%3600000 == 0:
		return fmt.Sprintf("%dh", ms/3600000)
	case ms%60000 == 0:
		return fmt.Sprintf("%dmin", ms/60000)
	case ms%1000 == 0:
		return fmt.Sprintf("%ds", ms/1000)
	}
	return fmt.Sprintf("%dms", ms)
}

// splitList splits a list of identifiers, such as search_path.
func splitList(v string) []string {
	var out []string
	for len(v) > 0 {
		v = strings.TrimLeft(v, " ,")
		if v == "" {
			break
		}
		if v[0] == '"' {
			name, rest := unquote(v)
			out = append(out, name)
			v = rest
			continue
		}
		i := strings.IndexByte(v, ',')
		if i < 0 {
			i = len(v)
		}
		out = append(out, strings.ToLower(strings.TrimSpace(v[:i])))
		v = v[i:]
	}
	return out
}

// unquote reads the quoted identifier that v begins with.
func unquote(v string) (name, rest string) {
	var b strings.Builder
	for i := 1; i < len(v); i++ {
		if v[i] == '"' {
			if i+1 < len(v) && v[i+1] == '"' {
				i++
			} else {
				return b.String(), v[i+1:]
			}
		}
		b.WriteByte(v[i])
	}
	return b.String(), ""
}

// Milliseconds turns a shown time such as 5s into the number of milliseconds.
func Milliseconds(shown string) string {
	d, ok := parseDuration(shown, time.Millisecond)
	if !ok {
		return shown
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}
