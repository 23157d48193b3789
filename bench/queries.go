package bench

// Query is one Nexmark query with its kernel.
type Query struct {
	Name string
	SQL  string // over bid
	// Limit makes the kernel; Columns are the columns of bid that it reads.
	Limit   func() Limit
	Columns []int
	// Kernel is the kernel of a query over several streams, in place of Limit. It
	// returns how many rows it put out.
	Kernel func(events uint64) (int, error)
	// Goal is the rate to aim for, in millions of events per second and core; 0 is
	// none.
	Goal float64
	// Grows says that state grows with the events, for ever: measurements are over
	// fewer of them.
	Grows bool
}

// winningBids is the best bid on each auction while it was open.
const winningBids = `SELECT * FROM (SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra,
		row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) AS rownum
		FROM auction a, bid b WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires) w WHERE rownum <= 1`

// Queries are Nexmark's queries; q5-inner and q7-inner are the windowed aggregates
// within q5 and q7. Windows are of event time, so that a run is repeatable.
func Queries() []Query {
	return []Query{
		{Name: "q0", SQL: `SELECT auction, bidder, price, date_time, extra FROM bid`,
			Limit: limitQ0, Columns: []int{Auction, Bidder, Price, DateTime, Extra}, Goal: 40},
		{Name: "q1", SQL: `SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid`,
			Limit: limitQ1, Columns: []int{Auction, Bidder, Price, DateTime, Extra}, Goal: 38},
		{Name: "q2", SQL: `SELECT auction, price FROM bid WHERE mod(auction, 123) = 0`,
			Limit: limitQ2, Columns: []int{Auction, Price}, Goal: 40},
		{Name: "q3", SQL: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
			WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')`, Kernel: limitQ3, Goal: 28},
		{Name: "q4", SQL: `SELECT category, avg(final) FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b
			WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires GROUP BY a.id, a.category) q GROUP BY category`, Kernel: limitQ4, Goal: 16, Grows: true},
		{Name: "q6", SQL: `SELECT seller, avg(price) OVER (PARTITION BY seller ORDER BY bid_date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price
			FROM (` + winningBids + `) q`, Kernel: limitQ6, Grows: true},
		{Name: "q8", SQL: `SELECT p.id, p.name, p.starttime FROM (
				SELECT id, name, window_start AS starttime, window_end AS endtime
				FROM TUMBLE(person, date_time, INTERVAL '10' SECOND) GROUP BY id, name, window_start, window_end) p
			JOIN (SELECT seller, window_start AS starttime, window_end AS endtime
				FROM TUMBLE(auction, date_time, INTERVAL '10' SECOND) GROUP BY seller, window_start, window_end) a
			ON p.id = a.seller AND p.starttime = a.starttime AND p.endtime = a.endtime`, Kernel: limitQ8, Goal: 35},
		{Name: "q9", SQL: `SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra,
				auction, bidder, price, bid_date_time, bid_extra FROM (` + winningBids + `) q`, Kernel: limitQ9, Goal: 10, Grows: true},
		{Name: "q10", SQL: `SELECT auction, bidder, price, date_time, extra, to_char(date_time, 'YYYY-MM-DD') AS dt, to_char(date_time, 'HH24:MI') AS hm FROM bid`,
			Limit: limitQ10, Columns: []int{Auction, Bidder, Price, DateTime, Extra}},
		{Name: "q13", SQL: `SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM (SELECT *, proctime() AS at FROM bid) b
			JOIN side_input FOR SYSTEM_TIME AS OF b.at s ON mod(b.auction, 10000) = s.key`,
			Limit: limitQ13, Columns: []int{Auction, Bidder, Price, DateTime}},
		{Name: "q5", SQL: `SELECT a.auction, a.num FROM (
				SELECT auction, count(*) AS num, window_start AS starttime, window_end AS endtime
				FROM HOP(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end) a
			JOIN (SELECT max(num) AS maxn, starttime, endtime FROM (
					SELECT count(*) AS num, window_start AS starttime, window_end AS endtime
					FROM HOP(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end) c
				GROUP BY starttime, endtime) m
			ON a.starttime = m.starttime AND a.endtime = m.endtime AND a.num >= m.maxn`,
			Limit: limitQ5, Columns: []int{Auction, DateTime}, Goal: 22},
		{Name: "q7", SQL: `SELECT b.auction, b.price, b.bidder, b.date_time, b.extra FROM bid b JOIN (
				SELECT max(price) AS maxprice, window_end AS date_time FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) GROUP BY window_start, window_end) m
			ON b.price = m.maxprice WHERE b.date_time BETWEEN m.date_time - INTERVAL '10' SECOND AND m.date_time`,
			Limit: limitQ7All, Columns: []int{Auction, Bidder, Price, DateTime, Extra}, Goal: 35},
		{Name: "q20", SQL: `SELECT auction, bidder, price, channel, url, b.date_time, b.extra, item_name, description, initial_bid, reserve,
				a.date_time AS a_date_time, expires, seller, category, a.extra AS a_extra
			FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`, Kernel: limitQ20, Goal: 13, Grows: true},
		{Name: "q5-inner", SQL: `SELECT auction, count(*) AS num, window_start, window_end
			FROM HOP(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end`,
			Limit: limitQ5, Columns: []int{Auction, DateTime}, Goal: 22},
		{Name: "q7-inner", SQL: `SELECT max(price) AS maxprice, window_end FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) GROUP BY window_start, window_end`,
			Limit: limitQ7, Columns: []int{Price, DateTime}, Goal: 35},
		{Name: "q11", SQL: `SELECT bidder, count(*) AS bid_count, SESSION_START(date_time, INTERVAL '10' SECOND) AS starttime,
				SESSION_END(date_time, INTERVAL '10' SECOND) AS endtime
			FROM bid GROUP BY bidder, SESSION(date_time, INTERVAL '10' SECOND)`,
			Limit: limitQ11, Columns: []int{Bidder, DateTime}, Goal: 26},
		{Name: "q12", SQL: `SELECT bidder, count(*) AS bid_count, window_start, window_end
			FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) GROUP BY bidder, window_start, window_end`,
			Limit: limitQ12, Columns: []int{Bidder, DateTime}, Goal: 26},
		{Name: "q14", SQL: `SELECT auction, bidder, 0.908 * price AS price,
				CASE WHEN extract(hour FROM date_time) >= 8 AND extract(hour FROM date_time) <= 18 THEN 'dayTime'
					WHEN extract(hour FROM date_time) <= 6 OR extract(hour FROM date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidtimetype,
				date_time, extra, count_char(extra, 'c') AS c_counts
			FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
			Limit: limitQ14, Columns: []int{Auction, Bidder, Price, DateTime, Extra}, Goal: 27},
		{Name: "q15", SQL: `SELECT to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
				count(*) FILTER (WHERE price < 10000) AS rank1_bids,
				count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
				count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
				count(DISTINCT bidder) AS total_bidders,
				count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
				count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
				count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
				count(DISTINCT auction) AS total_auctions,
				count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
				count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
				count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions
			FROM bid GROUP BY to_char(date_time, 'YYYY-MM-DD')`,
			Limit: limitQ15, Columns: []int{Auction, Bidder, Price, DateTime}, Goal: 16},
		{Name: "q16", SQL: `SELECT channel, to_char(date_time, 'YYYY-MM-DD') AS day, max(to_char(date_time, 'HH24:MI')) AS minute, count(*) AS total_bids,
				count(*) FILTER (WHERE price < 10000) AS rank1_bids,
				count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
				count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
				count(DISTINCT bidder) AS total_bidders,
				count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
				count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
				count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
				count(DISTINCT auction) AS total_auctions,
				count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
				count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
				count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions
			FROM bid GROUP BY channel, to_char(date_time, 'YYYY-MM-DD')`,
			Limit: limitQ16, Columns: []int{Auction, Bidder, Price, Channel, DateTime}, Goal: 4.5, Grows: true},
		{Name: "q17", SQL: `SELECT auction, to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
				count(*) FILTER (WHERE price < 10000) AS rank1_bids,
				count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
				count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
				min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
			FROM bid GROUP BY auction, to_char(date_time, 'YYYY-MM-DD')`,
			Limit: limitQ17, Columns: []int{Auction, Price, DateTime}, Goal: 22},
		{Name: "q18", SQL: `SELECT auction, bidder, price, channel, url, date_time, extra
			FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS rank_number FROM bid) t WHERE rank_number <= 1`,
			Limit: limitQ18, Columns: []int{Auction, Bidder, Price, Channel, URL, DateTime, Extra}, Goal: 10, Grows: true},
		{Name: "q19", SQL: `SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number FROM bid) t WHERE rank_number <= 10`,
			Limit: limitQ19, Columns: []int{Auction, Bidder, Price, Channel, URL, DateTime, Extra}, Goal: 12, Grows: true},
		{Name: "q21", SQL: `SELECT auction, bidder, price, channel,
				CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
					WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
					ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id
			FROM bid WHERE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`,
			Limit: limitQ21, Columns: []int{Auction, Bidder, Price, Channel, URL}, Goal: 18},
		{Name: "q22", SQL: `SELECT auction, bidder, price, channel, split_index(url, '/', 3) AS dir1, split_index(url, '/', 4) AS dir2, split_index(url, '/', 5) AS dir3 FROM bid`,
			Limit: limitQ22, Columns: []int{Auction, Bidder, Price, Channel, URL}, Goal: 12},
	}
}
