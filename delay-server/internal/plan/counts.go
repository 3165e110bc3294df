package plan

import (
	"hash/maphash"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxCounts is the maximum number of counts. The groups that were not used for the
	// longest time are forgotten first. Full, counts take 18 MB if a group has one or two,
	// as the run of a trace has, and 3 MB in a few large groups.
	maxCounts = 100_000

	// maxGroup is the maximum number of counts in a group, so that a run with many paths
	// does not displace others.
	maxGroup = maxCounts / 10
)

// counts counts requests by group, such as a run, and within a group by key. Both are
// hashes, since their strings may be as long as a request's header. The probability that
// any two of maxCounts strings have the same hash is 3 in 10¹⁰.
type counts struct {
	seed maphash.Seed

	mu     sync.Mutex
	groups *simplelru.LRU[uint64, *group]
	kept   int // in all groups
}

func newCounts() counts {
	groups, err := simplelru.NewLRU[uint64, *group](maxCounts, nil)
	if err != nil {
		panic(err) // maxCounts is not positive
	}
	return counts{seed: maphash.MakeSeed(), groups: groups}
}

// hash returns the hash of a list of strings.
func (c *counts) hash(list ...string) (hash uint64) {
	for _, text := range list {
		hash = 31*hash + maphash.String(c.seed, text)
	}
	return hash
}

// next counts a request and returns its number, from 1.
func (c *counts) next(groupHash, key uint64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, known := c.groups.Get(groupHash)
	if !known {
		g = new(group)
		c.groups.Add(groupHash, g)
	}
	before := g.len()
	n := g.next(key)
	c.kept += g.len() - before
	for c.kept > maxCounts {
		_, oldest, _ := c.groups.RemoveOldest()
		c.kept -= oldest.len()
	}
	return n
}

// forget forgets the group and reports whether there was one.
func (c *counts) forget(groupHash uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, known := c.groups.Peek(groupHash)
	if known {
		c.kept -= g.len()
		c.groups.Remove(groupHash)
	}
	return known
}

func (c *counts) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups.Purge()
	c.kept = 0
}

// group has the counts of a group. The first one is apart, as most groups have no other:
// a map would take 200 bytes. The others are in two generations: a count that is used
// moves to recent, and old is dropped when recent is full. So a count is kept at least
// until maxGroup/2 others were used.
type group struct {
	first       uint64 // key
	n           int    // count of first
	recent, old map[uint64]int
}

func (g *group) len() int {
	if g.n == 0 {
		return 0
	}
	return 1 + len(g.recent) + len(g.old)
}

func (g *group) next(key uint64) int {
	if g.n == 0 {
		g.first = key
	}
	if key == g.first {
		g.n++
		return g.n
	}
	n, isRecent := g.recent[key]
	if !isRecent {
		if g.recent == nil || len(g.recent) == maxGroup/2 {
			g.recent, g.old = map[uint64]int{}, g.recent
		}
		n = g.old[key]
		delete(g.old, key)
	}
	g.recent[key] = n + 1
	return n + 1
}
