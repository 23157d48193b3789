package nexmark

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/millrace/millrace/batch"
)

// Sizes of the dictionary. lettersLen and wordsLen bytes of random text serve
// every free-text column: a value is a window into them.
const (
	channels    = 10_000
	hotChannels = 4
	lettersLen  = 1 << 20
	wordsLen    = 1 << 18
	emails      = 1 << 14
	cardGroups  = 1 << 14
	// priceSteps+1 points of 100·10^(6u), between which prices are interpolated.
	priceSteps = 4096
)

// dictionary is the text that all generators of one Kind share: an arena that
// is never written again after newDictionary, and views into it. Whoever reads
// a batch gets the arena itself, so no string is ever copied.
type dictionary struct {
	arena   []byte
	letters uint32 // where the lower-case text begins
	words   uint32 // where the text with blanks begins
	channel [channels + hotChannels]batch.View
	url     [channels + hotChannels]batch.View
	name    []batch.View
	email   []batch.View
	card    []batch.View
	city    []batch.View
	state   []batch.View
	price   [priceSteps + 1]float64
}

func firstNames() []string {
	return []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
}

func lastNames() []string {
	return []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
}

func cityNames() []string {
	return []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
}

func stateNames() []string { return []string{"AZ", "CA", "ID", "OR", "WA", "WY"} }

// randomText is a small sequential generator, used only to fill the dictionary.
type randomText struct{ state uint64 }

func (r *randomText) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return finish(r.state)
}

// word draws 3 to maxLen-1 characters, one in thirteen being special, and trims
// blanks from both ends, as Nexmark's nextString does.
func (r *randomText) word(maxLen int, special byte) string {
	n := 3 + int(r.next()%uint64(maxLen-3))
	b := make([]byte, n)
	for i := range b {
		x := r.next()
		if x%13 == 0 {
			b[i] = special
		} else {
			b[i] = byte('a' + (x>>32)%26)
		}
	}
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return string(b)
}

func (d *dictionary) add(s string) batch.View {
	off := len(d.arena)
	d.arena = append(d.arena, s...)
	return batch.View{Off: uint32(off), Len: uint32(len(s))}
}

func newDictionary() *dictionary {
	d := &dictionary{arena: make([]byte, 0, lettersLen+wordsLen+3<<20)}
	r := &randomText{state: 42}
	for len(d.arena) < lettersLen {
		x := r.next()
		for range 8 {
			d.arena = append(d.arena, byte('a'+x&0xff*26>>8))
			x >>= 8
		}
	}
	d.words = uint32(len(d.arena))
	for len(d.arena) < lettersLen+wordsLen {
		x := r.next()
		if x%13 == 0 {
			d.arena = append(d.arena, ' ')
		} else {
			d.arena = append(d.arena, byte('a'+(x>>32)%26))
		}
	}
	d.addURLs(r)
	d.addPeople(r)
	for i := range d.price {
		d.price[i] = math.Pow(10, float64(i)/priceSteps*6) * 100
	}
	// No room behind the text: an append by anyone else must reallocate.
	d.arena = d.arena[:len(d.arena):len(d.arena)]
	return d
}

func (d *dictionary) addURLs(r *randomText) {
	base := func() string {
		return "https://www.nexmark.com/" + r.word(5, '_') + "/" + r.word(5, '_') + "/" + r.word(5, '_') + "/item.htm?query=1"
	}
	for i := range channels {
		url := base()
		if r.next()%10 > 0 {
			id := int64(int32(bits.Reverse32(uint32(i))))
			url += "&channel_id=" + strconv.FormatInt(max(id, -id), 10)
		}
		d.channel[i] = d.add("channel-" + strconv.Itoa(i))
		d.url[i] = d.add(url)
	}
	for i, name := range []string{"Google", "Facebook", "Baidu", "Apple"} {
		d.channel[channels+i] = d.add(name)
		d.url[channels+i] = d.add(base())
	}
}

func (d *dictionary) addPeople(r *randomText) {
	for _, first := range firstNames() {
		for _, last := range lastNames() {
			d.name = append(d.name, d.add(first+" "+last))
		}
	}
	for range emails {
		d.email = append(d.email, d.add(r.word(7, ' ')+"@"+r.word(5, ' ')+".com"))
	}
	for range cardGroups {
		card := make([]byte, 0, 19)
		for g := range 4 {
			if g > 0 {
				card = append(card, ' ')
			}
			v := r.next() % 10_000
			card = append(card, byte('0'+v/1000), byte('0'+v/100%10), byte('0'+v/10%10), byte('0'+v%10))
		}
		d.card = append(d.card, d.add(string(card)))
	}
	for _, c := range cityNames() {
		d.city = append(d.city, d.add(c))
	}
	for _, s := range stateNames() {
		d.state = append(d.state, d.add(s))
	}
}

// text is a window of n bytes into the lower-case letters.
func (d *dictionary) text(r uint32, n uint32) batch.View {
	return batch.View{Off: d.letters + scale(r, lettersLen-1024), Len: n}
}

// phrase is a window of 3 to maxLen-1 bytes into the text with blanks, trimmed.
func (d *dictionary) phrase(r uint64, maxLen uint32) batch.View {
	v := batch.View{Off: d.words + scale(uint32(r), wordsLen-256), Len: 3 + scale(uint32(r>>32), maxLen-3)}
	for v.Len > 0 && d.arena[v.Off] == ' ' {
		v.Off, v.Len = v.Off+1, v.Len-1
	}
	for v.Len > 0 && d.arena[v.Off+v.Len-1] == ' ' {
		v.Len--
	}
	return v
}
