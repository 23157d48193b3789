package bench

// Query is one Nexmark query with its kernel.
type Query struct {
	Name string
	SQL  string // over bid
	// Limit makes the kernel; Columns are the columns of bid that it reads.
	Limit   func() Limit
	Columns []int
	// Goal is the rate to aim for, in millions of events per second and core.
	Goal float64
}

// Queries are Nexmark's queries as far as one stream goes; of q5 and q7 the inner
// aggregate. Windows are of event time, so that a run is repeatable.
func Queries() []Query {
	return []Query{
		{"q0", `SELECT auction, bidder, price, date_time, extra FROM bid`, limitQ0, []int{Auction, Bidder, Price, DateTime, Extra}, 40},
		{"q1", `SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid`, limitQ1, []int{Auction, Bidder, Price, DateTime, Extra}, 38},
		{"q2", `SELECT auction, price FROM bid WHERE mod(auction, 123) = 0`, limitQ2, []int{Auction, Price}, 40},
		{"q5", `SELECT auction, count(*) AS num, window_start, window_end
			FROM HOP(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end`,
			limitQ5, []int{Auction, DateTime}, 22},
		{"q7", `SELECT max(price) AS maxprice, window_end FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) GROUP BY window_start, window_end`,
			limitQ7, []int{Price, DateTime}, 35},
		{"q12", `SELECT bidder, count(*) AS bid_count, window_start, window_end
			FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) GROUP BY bidder, window_start, window_end`,
			limitQ12, []int{Bidder, DateTime}, 26},
		{"q14", `SELECT auction, bidder, 0.908 * price AS price,
				CASE WHEN extract(hour FROM date_time) >= 8 AND extract(hour FROM date_time) <= 18 THEN 'dayTime'
					WHEN extract(hour FROM date_time) <= 6 OR extract(hour FROM date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidtimetype,
				date_time, extra, count_char(extra, 'c') AS c_counts
			FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
			limitQ14, []int{Auction, Bidder, Price, DateTime, Extra}, 27},
		{"q15", `SELECT to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
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
			limitQ15, []int{Auction, Bidder, Price, DateTime}, 16},
		{"q16", `SELECT channel, to_char(date_time, 'YYYY-MM-DD') AS day, max(to_char(date_time, 'HH24:MI')) AS minute, count(*) AS total_bids,
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
			limitQ16, []int{Auction, Bidder, Price, Channel, DateTime}, 4.5},
		{"q17", `SELECT auction, to_char(date_time, 'YYYY-MM-DD') AS day, count(*) AS total_bids,
				count(*) FILTER (WHERE price < 10000) AS rank1_bids,
				count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
				count(*) FILTER (WHERE price >= 1000000) AS rank3_bids,
				min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
			FROM bid GROUP BY auction, to_char(date_time, 'YYYY-MM-DD')`,
			limitQ17, []int{Auction, Price, DateTime}, 22},
		{"q21", `SELECT auction, bidder, price, channel,
				CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
					WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
					ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id
			FROM bid WHERE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`,
			limitQ21, []int{Auction, Bidder, Price, Channel, URL}, 18},
		{"q22", `SELECT auction, bidder, price, channel, split_index(url, '/', 3) AS dir1, split_index(url, '/', 4) AS dir2, split_index(url, '/', 5) AS dir3 FROM bid`,
			limitQ22, []int{Auction, Bidder, Price, Channel, URL}, 12},
	}
}
