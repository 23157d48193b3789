package oracle

import "testing"

// topViews keep the first rows of groups. Their orders are complete, since
// PostgreSQL numbers ties as it likes.
var topViews = []string{
	"SELECT k, id, i, rn FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY i DESC, id) AS rn FROM t) q WHERE rn <= 3",
	"SELECT k, id, s FROM (SELECT *, row_number() OVER (PARTITION BY k, g ORDER BY s NULLS FIRST, id DESC) AS rn FROM t) q WHERE rn = 1",
	"SELECT k, id, m, rk FROM (SELECT *, rank() OVER (PARTITION BY k ORDER BY m) AS rk FROM t) q WHERE rk <= 2",
	"SELECT k, id, x, rk FROM (SELECT *, dense_rank() OVER (PARTITION BY k ORDER BY x DESC NULLS LAST) AS rk FROM t) q WHERE rk BETWEEN 2 AND 3",
	"SELECT id, iv FROM (SELECT *, rank() OVER (ORDER BY iv DESC) AS rk FROM t) q WHERE rk < 4",
	"SELECT DISTINCT ON (g) g, id, at FROM t ORDER BY g, at DESC NULLS LAST, id",
	"SELECT DISTINCT ON (f, i % 2) id, f FROM t ORDER BY f, i % 2, d, id",
	"SELECT id, b FROM t ORDER BY b DESC, id LIMIT 7 OFFSET 2",
	"SELECT id, r FROM t ORDER BY r FETCH FIRST 5 ROWS WITH TIES",
	"SELECT id FROM t ORDER BY n NULLS FIRST, id OFFSET 10",
	"SELECT k, sum(m), count(*) FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY at, id) AS rn FROM t) q WHERE rn <= 4 GROUP BY k",
	"SELECT k, c FROM (SELECT k, count(*) AS c FROM t GROUP BY k) q ORDER BY c DESC, k LIMIT 2",
	"SELECT g, k, c, r FROM (SELECT g, k, c, rank() OVER (PARTITION BY g ORDER BY c DESC) AS r FROM (SELECT g, k, count(*) AS c FROM t GROUP BY g, k) q) p WHERE r = 1",
	"SELECT a.id, o.id AS other FROM (SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY id) AS rn FROM t) q WHERE rn = 1) a JOIN t o ON o.k = a.k AND o.i > a.i",
	"SELECT DISTINCT k, g FROM t",
}

// TestTopN compares the first rows of groups with PostgreSQL's.
func TestTopN(t *testing.T) { compareViews(t, "top_n", topViews) }

// overViews are window functions. Where rows in a frame have an order it is
// complete.
var overViews = []string{
	"SELECT id, row_number() OVER (PARTITION BY k ORDER BY i, id), rank() OVER (PARTITION BY k ORDER BY i), dense_rank() OVER (PARTITION BY k ORDER BY i), percent_rank() OVER (PARTITION BY g ORDER BY s), cume_dist() OVER (ORDER BY d DESC), ntile(4) OVER (ORDER BY id) FROM t",
	"SELECT id, lag(s) OVER w, lag(m, 2, -1) OVER w, lead(at) OVER w, lead(id, i, 0) OVER w, first_value(n) OVER w, last_value(x) OVER w, nth_value(s, 2) OVER w FROM t WINDOW w AS (PARTITION BY k ORDER BY id)",
	"SELECT id, sum(i) OVER (PARTITION BY k), avg(m) OVER (PARTITION BY k ORDER BY id), count(*) OVER (), max(s) OVER (PARTITION BY g ORDER BY id DESC), justify_interval(min(iv) OVER (PARTITION BY g ORDER BY id DESC)) FROM t",
	"SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING), count(x) OVER (ORDER BY id ROWS 3 PRECEDING), min(m) OVER (ORDER BY id ROWS BETWEEN 3 FOLLOWING AND 5 FOLLOWING), sum(x) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
	"SELECT id, sum(i) OVER (ORDER BY i RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING), count(*) OVER (ORDER BY m DESC RANGE BETWEEN 1.5 PRECEDING AND CURRENT ROW), count(*) OVER (ORDER BY x RANGE BETWEEN 0.5 PRECEDING AND 2 FOLLOWING), sum(i) OVER (ORDER BY r DESC NULLS FIRST RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM t",
	"SELECT id, count(*) OVER (ORDER BY at RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '2 hours' FOLLOWING), sum(i) OVER (PARTITION BY k ORDER BY d RANGE INTERVAL '1 month' PRECEDING), count(*) OVER (ORDER BY iv DESC RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND INTERVAL '1 day' FOLLOWING) FROM t",
	"SELECT id, sum(i) OVER (ORDER BY g GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING), count(*) OVER (PARTITION BY k ORDER BY i GROUPS 1 PRECEDING), max(id) OVER (ORDER BY s GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM t",
	"SELECT id, sum(i) OVER (ORDER BY k RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP), count(*) OVER (ORDER BY k GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES), sum(m) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW), nth_value(id, 3) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING EXCLUDE GROUP) FROM t",
	"SELECT id, stddev_samp(i) OVER (PARTITION BY k ORDER BY id ROWS 4 PRECEDING), var_pop(m) OVER (PARTITION BY k), bool_and(f) OVER (ORDER BY id ROWS 2 PRECEDING), bool_or(f) OVER (PARTITION BY g), sum(b) FILTER (WHERE f) OVER (PARTITION BY k ORDER BY id), avg(iv) OVER (PARTITION BY k ORDER BY id ROWS 1 PRECEDING) FROM t",
	"SELECT k, sum(i) AS s, rank() OVER (ORDER BY sum(i) DESC) AS r, sum(count(*)) OVER (ORDER BY k) AS c FROM t GROUP BY k",
	"SELECT id, s - lag(s) OVER (ORDER BY id) AS d FROM (SELECT id, sum(i) OVER (PARTITION BY k ORDER BY id) AS s FROM t) q",
	"SELECT k, max(l) FROM (SELECT k, i - lag(i) OVER (PARTITION BY k ORDER BY id) AS l FROM t) q GROUP BY k",
	"SELECT k, i, count(*) OVER (PARTITION BY k), rank() OVER (PARTITION BY k ORDER BY i) FROM t",
}

// TestOver compares window functions with PostgreSQL's.
func TestOver(t *testing.T) { compareViews(t, "over", overViews) }
