package scalar

import (
	"maps"
	"slices"
	"sync"
)

// aggregateFunctions are the aggregates; their signatures resolve as functions do.
// count() is count(*). The ones that read "any" take each argument as it is.
const aggregateFunctions = `
count() bigint [null]
count(any) bigint [null]
sum(smallint) bigint
sum(integer) bigint
sum(bigint) numeric
sum(numeric) numeric
sum(real) real
sum(double precision) double precision
sum(interval) interval
avg(smallint) numeric
avg(integer) numeric
avg(bigint) numeric
avg(numeric) numeric
avg(real) double precision
avg(double precision) double precision
avg(interval) interval
bool_and(boolean) boolean
bool_or(boolean) boolean
every(boolean) boolean
string_agg(text,text) text [null]
string_agg(bytea,bytea) bytea [null]
listagg(text) text                                -- Flink, separated by commas; an order may follow in WITHIN GROUP
listagg(text,text) text
array_agg(anyelement) anyarray [null]
jsonb_agg(anyelement) jsonb [null]
json_agg(anyelement) jsonb [null]
jsonb_object_agg(any,any) jsonb [null]
json_object_agg(any,any) jsonb [null]
approx_count_distinct(any) bigint                 -- an estimate with a standard error of 1.6 % over append-only input; exact over rows that change
any_value(anyelement) anyelement                  -- the first that is not null; over rows that change the least
first(anyelement) anyelement [null]               -- first_value
last(anyelement) anyelement [null]                -- last_value
first_value(anyelement) anyelement [null]         -- Flink: by the ORDER BY in the call, else by arrival, which append-only input has
last_value(anyelement) anyelement [null]
corr(double precision,double precision) double precision
covar_pop(double precision,double precision) double precision
covar_samp(double precision,double precision) double precision
regr_avgx(double precision,double precision) double precision
regr_avgy(double precision,double precision) double precision
regr_count(double precision,double precision) bigint
regr_intercept(double precision,double precision) double precision
regr_r2(double precision,double precision) double precision
regr_slope(double precision,double precision) double precision
regr_sxx(double precision,double precision) double precision
regr_sxy(double precision,double precision) double precision
regr_syy(double precision,double precision) double precision
percentile_cont(double precision,double precision) double precision -- the fraction, which is constant, and the argument of WITHIN GROUP (ORDER BY …)
percentile_cont(double precision,interval) interval
percentile_cont(double precision[],double precision) double precision[]
percentile_cont(double precision[],interval) interval[]
percentile_disc(double precision,anyelement) anyelement
percentile_disc(double precision[],anyelement) anyarray
mode(anyelement) anyelement
`

// windowFunctions need an OVER clause; aggregates may have one too.
const windowFunctions = `
row_number() bigint
rank() bigint
dense_rank() bigint
percent_rank() double precision
cume_dist() double precision
ntile(integer) integer
lag(anyelement) anyelement [null]
lag(anyelement,integer) anyelement [null]
lag(anycompatible,integer,anycompatible) anycompatible [null]
lead(anyelement) anyelement [null]
lead(anyelement,integer) anyelement [null]
lead(anycompatible,integer,anycompatible) anycompatible [null]
first_value(anyelement) anyelement [null]
last_value(anyelement) anyelement [null]
nth_value(anyelement,integer) anyelement [null]
`

var (
	orderedTypes = []string{"smallint", "integer", "bigint", "real", "double precision", "numeric", "text", "char", "date",
		"time", "timestamp", "timestamptz", "interval", "oid", "uuid", "bytea", "anyarray"}
	numberTypes = []string{"smallint", "integer", "bigint", "numeric"}
)

// AggregateNames lists the names of the aggregates, sorted.
func AggregateNames() []string { return slices.Sorted(maps.Keys(aggregateTable())) }

var aggregateTable = sync.OnceValue(func() map[string][]Function {
	s := aggregateFunctions
	for _, t := range orderedTypes {
		s += "min(" + t + ") " + t + "\nmax(" + t + ") " + t + "\n"
	}
	for _, f := range []string{"stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp"} {
		for _, t := range numberTypes {
			s += f + "(" + t + ") numeric\n"
		}
		s += f + "(real) double precision\n" + f + "(double precision) double precision\n"
	}
	for _, f := range []string{"bit_and", "bit_or", "bit_xor"} {
		for _, t := range numberTypes[:3] {
			s += f + "(" + t + ") " + t + "\n"
		}
	}
	return byName(s)
})

var windowTable = sync.OnceValue(func() map[string][]Function { return byName(windowFunctions) })

func byName(s string) map[string][]Function {
	m := map[string][]Function{}
	for _, f := range parseSignatures(s) {
		m[f.Name] = append(m[f.Name], f)
	}
	return m
}

// AggregateFunctions returns the overloads of an aggregate, nil when there are
// none. Strict aggregates skip rows in which an argument is null. min and max of
// varchar resolve to text.
func AggregateFunctions(name string) []Function { return aggregateTable()[name] }

// WindowFunctions returns the overloads of a function that needs OVER.
func WindowFunctions(name string) []Function { return windowTable()[name] }
