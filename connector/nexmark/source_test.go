package nexmark

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/batch"
	"github.com/millrace/millrace/connector"
	"github.com/millrace/millrace/types"
)

func layout(cols []connector.Column, want []int) []types.Phys {
	var l []types.Phys
	for _, w := range want {
		l = append(l, cols[w].Type.Phys())
	}
	return l
}

func all(n int) []int {
	w := make([]int, n)
	for i := range w {
		w[i] = i
	}
	return w
}

func format(b *batch.Batch, row int) string {
	var f []string
	for _, c := range b.Cols {
		if c.Phys == types.PhysBytes {
			f = append(f, c.Str(row))
		} else {
			f = append(f, fmt.Sprint(c.Int[row]))
		}
	}
	return strings.Join(f, "|")
}

// readSplit reads a whole split, restarting from the offset after every read
// when restart is set, and returns its rows as text.
func readSplit(t *testing.T, src connector.Source, split connector.Split, want []int, max int, restart bool) []string {
	t.Helper()
	ctx := context.Background()
	r, err := src.Open(ctx, split, nil, want)
	if err != nil {
		t.Fatal(err)
	}
	b := batch.New(layout(src.Schema(), want), 0)
	var rows []string
	for {
		status, err := r.Read(ctx, b, max)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.N {
			rows = append(rows, format(b, i))
		}
		if status == connector.End {
			return rows
		}
		if restart {
			if r, err = src.Open(ctx, split, r.Offset(), want); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestStreamsAreCompleteAndRepeatable(t *testing.T) {
	// 50 events an epoch; 4 of 1237 = 24 epochs and 37 events are in the tail.
	counts := map[Stream]int{Person: 25, Auction: 75, Bid: 24*46 + 33}
	for stream, want := range counts {
		src := New(Options{Stream: stream, Events: 24*50 + 37})
		splits, _ := src.Splits(context.Background())
		total := 0
		for _, s := range splits {
			cols := all(len(src.Schema()))
			base := readSplit(t, src, s, cols, 1024, false)
			total += len(base)
			for _, max := range []int{1, 3, 46, 47, 1024} {
				got := readSplit(t, src, s, cols, max, true)
				if fmt.Sprint(got) != fmt.Sprint(base) {
					t.Fatalf("%s split %s differs when read %d rows at a time", stream, s.ID, max)
				}
			}
		}
		if total != want {
			t.Errorf("%s: %d rows, want %d", stream, total, want)
		}
	}
}

func TestColumnPruningDoesNotChangeValues(t *testing.T) {
	for _, stream := range []Stream{Bid, Auction, Person} {
		src := New(Options{Stream: stream, Events: 5000, Seed: 7})
		splits, _ := src.Splits(context.Background())
		n := len(src.Schema())
		full := readSplit(t, src, splits[3], all(n), 100, false)
		for col := range n {
			one := readSplit(t, src, splits[3], []int{col}, 100, false)
			for i := range full {
				if strings.Split(full[i], "|")[col] != one[i] {
					t.Fatalf("%s column %d row %d: %q alone, %q in %q", stream, col, i, one[i], strings.Split(full[i], "|")[col], full[i])
				}
			}
		}
	}
}

func TestValuesFollowTheRules(t *testing.T) {
	src := New(Options{Stream: Bid, Events: 500_000})
	splits, _ := src.Splits(context.Background())
	n, hot, hotBidder, google, noChannelID, logPrice := 0, 0, 0, 0, 0, 0.0
	for _, s := range splits {
		var last string
		for _, line := range readSplit(t, src, s, all(7), 1024, false) {
			f := strings.Split(line, "|")
			var auction, bidder, price int64
			fmt.Sscan(f[0], &auction)
			fmt.Sscan(f[1], &bidder)
			fmt.Sscan(f[2], &price)
			n++
			if auction%100 == 0 {
				hot++
			}
			if bidder%100 == 1 {
				hotBidder++
			}
			if f[3] == "Google" {
				google++
			}
			if strings.HasPrefix(f[3], "channel-") && !strings.Contains(f[4], "channel_id=") {
				noChannelID++
			}
			if price < 100 || price > 100_000_000 {
				t.Fatalf("price %d", price)
			}
			logPrice += math.Log10(float64(price))
			if f[5] < last {
				t.Fatalf("split %s goes back in time: %s after %s", s.ID, f[5], last)
			}
			last = f[5]
			if len(f[6]) < 54 || len(f[6]) > 81 {
				t.Fatalf("extra of %d bytes", len(f[6]))
			}
		}
	}
	check := func(what string, got, want float64) {
		if math.Abs(got-want) > 0.01 {
			t.Errorf("%s: %.4f, want about %.4f", what, got, want)
		}
	}
	check("hot auctions", float64(hot)/float64(n), 0.505)
	check("hot bidders", float64(hotBidder)/float64(n), 0.7525)
	check("Google", float64(google)/float64(n), 0.125)
	check("cold without channel_id", float64(noChannelID)/float64(n), 0.05)
	check("mean log10 price", logPrice/float64(n)/5, 1)
}

func TestFrozenRows(t *testing.T) {
	// The generator's rows are what benchmark and crash results are compared by:
	// the file is never rewritten.
	var got strings.Builder
	for _, stream := range []Stream{Bid, Auction, Person} {
		src := New(Options{Stream: stream, Events: 2000})
		splits, _ := src.Splits(context.Background())
		for _, row := range readSplit(t, src, splits[1], all(len(src.Schema())), 10, false)[:2] {
			fmt.Fprintf(&got, "%s|%s\n", stream, row)
		}
	}
	want, err := os.ReadFile("testdata/frozen.txt")
	if err != nil || got.String() != string(want) {
		t.Errorf("rows differ from testdata/frozen.txt (%v):\n%s", err, got.String())
	}
}

func TestEventTimeIsExactAtAnyRate(t *testing.T) {
	for _, rate := range []uint64{1, 7, 50, 999, 1000, 1001, 100_000, 3_333_333, 1e9} {
		out := make([]int64, 100)
		fillTime(out, 12345, 1, rate)
		for i, us := range out {
			want := (BaseMillis + int64((12345+uint64(i))*1000/rate)) * 1000
			if us != want {
				t.Fatalf("rate %d event %d: %d, want %d", rate, 12345+i, us, want)
			}
		}
	}
}

func TestOptionErrors(t *testing.T) {
	tests := []struct {
		options map[string]string
		columns []connector.Column
		err     string
	}{
		{map[string]string{}, nil, `connector "nexmark" requires option "stream"`},
		{map[string]string{"stream": "bids"}, nil, `invalid value for option "stream": "bids"`},
		{map[string]string{"stream": "bid", "events": "-1"}, nil, `invalid value for option "events": "-1"`},
		{map[string]string{"stream": "bid", "event_rate": "0"}, nil, `invalid value for option "event_rate": "0"`},
		{map[string]string{"stream": "bid", "evnts": "1"}, nil, `connector "nexmark" has no option "evnts"`},
		{map[string]string{"stream": "bid", "bad_data": "panic"}, nil, `invalid value for option "bad_data": "panic"`},
		{map[string]string{"stream": "bid", "idle_timeout": "ten"}, nil, `invalid value for option "idle_timeout": "ten"`},
		{map[string]string{"stream": "bid"}, []connector.Column{{Name: "seller", Type: types.Of(types.Int64)}}, `stream "bid" has no column "seller"`},
		{map[string]string{"stream": "bid"}, []connector.Column{{Name: "price", Type: types.Of(types.Text)}}, `column "price" of stream "bid" is bigint, not text`},
		{map[string]string{"stream": "bid", "rows_per_second": "1000", "seed": "5", "connector": "nexmark"}, Columns(Bid), ""},
	}
	k := Kind()
	for _, tt := range tests {
		_, err := k.NewSource(context.Background(), connector.Spec{Options: tt.options, Columns: tt.columns}, connector.Env{})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.err {
			t.Errorf("%v: error %q, want %q", tt.options, got, tt.err)
		}
	}
	src := New(Options{})
	for _, bad := range []string{"", "x", "1", "12+46", "12+-1", "-12"} {
		if _, err := src.Open(context.Background(), connector.Split{ID: "bid-00"}, []byte(bad), nil); err == nil {
			t.Errorf("offset %q accepted", bad)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, bm := range []struct {
		name string
		cols []int
	}{{"numeric", []int{bidAuction, bidBidder, bidPrice, bidDateTime}}, {"auction", []int{bidAuction}}, {"all", all(7)}} {
		b.Run(bm.name, func(b *testing.B) {
			src := New(Options{Stream: Bid, EventRate: 10_000_000})
			var readers []connector.Reader
			splits, _ := src.Splits(context.Background())
			for _, s := range splits {
				r, err := src.Open(context.Background(), s, nil, bm.cols)
				if err != nil {
					b.Fatal(err)
				}
				readers = append(readers, r)
			}
			out := batch.New(layout(src.Schema(), bm.cols), 1024)
			rows := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = readers[i%len(readers)].Read(context.Background(), out, 1024)
				rows += out.N
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
