package plan

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
)

const (
	// maxCached is the maximum length of a path and query with a cached template. It
	// bounds the memory of the cache.
	maxCached = 1 << 10

	cacheSets = 128
	cacheWays = 8 // templates of a set
)

// cache caches templates by path and by endpoint.appendKey. get takes no lock, as
// every request calls it. If a set is full, a new template replaces a random one. So a
// template in use is evicted about once in a thousand misses.
type cache struct {
	seed maphash.Seed
	sets *[cacheSets][cacheWays]atomic.Pointer[cached]
}

type cached struct {
	hash        uint64
	path, query string
	template    *Template
}

func newCache() cache {
	return cache{maphash.MakeSeed(), new([cacheSets][cacheWays]atomic.Pointer[cached])}
}

// get returns the template, or nil.
func (c *cache) get(path string, query []byte) *Template {
	hash := c.hash(path, query)
	set := &c.sets[hash%cacheSets]
	for i := range set {
		if e := set[i].Load(); e != nil && e.hash == hash && e.path == path && e.query == string(query) {
			return e.template
		}
	}
	return nil
}

// put adds the template. Two goroutines may add the same one twice.
func (c *cache) put(path, query string, t *Template) {
	hash := c.hash(path, []byte(query))
	set, e := &c.sets[hash%cacheSets], &cached{hash, path, query, t}
	for i := range set {
		if set[i].CompareAndSwap(nil, e) {
			return
		}
	}
	set[rand.IntN(cacheWays)].Store(e)
}

func (c *cache) hash(path string, query []byte) uint64 {
	hash := maphash.String(c.seed, path)
	if len(query) > 0 {
		hash ^= 31 * maphash.Bytes(c.seed, query)
	}
	return hash
}
