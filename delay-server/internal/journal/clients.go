package journal

import (
	"container/heap"
	"net/netip"
	"time"
)

// fresh is how long records are protected from other clients: a full journal drops the
// oldest record if that began longer ago, and else a record of the client with the most.
// So a client that floods the journal drops its own records, and a client that is gone
// keeps none from being recorded.
const fresh = 10 * time.Minute

// client has the records of a client address. It exists while there is one.
type client struct {
	addr           netip.Addr
	seq            int     // sequence number
	oldest, newest *record // linked by olderOfClient and newerOfClient
	kept           int
	index          int // in the heap
}

// clients is a heap of clients, the one with the most records first, and of equal ones
// the first one.
type clients []*client

func (c clients) Len() int { return len(c) }

func (c clients) Less(i, j int) bool {
	return c[i].kept > c[j].kept || c[i].kept == c[j].kept && c[i].seq < c[j].seq
}

func (c clients) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].index, c[j].index = i, j
}

// Push implements heap.Interface.
func (c *clients) Push(x any) {
	added := x.(*client)
	added.index = len(*c)
	*c = append(*c, added)
}

// Pop implements heap.Interface.
func (c *clients) Pop() any {
	last := (*c)[len(*c)-1]
	(*c)[len(*c)-1] = nil
	*c = (*c)[:len(*c)-1]
	return last
}

// linkClient adds r, the newest record, to the records of a client address.
func (j *Journal) linkClient(r *record, addr netip.Addr) {
	c := j.clients[addr]
	if c == nil {
		j.clientSeq++
		c = &client{addr: addr, seq: j.clientSeq}
		j.clients[addr] = c
		heap.Push(&j.byKept, c)
	}
	r.client, r.olderOfClient = c, c.newest
	if c.newest == nil {
		c.oldest = r
	} else {
		c.newest.newerOfClient = r
	}
	c.newest = r
	c.kept++
	if c.index > 0 {
		heap.Fix(&j.byKept, c.index)
	}
}

// unlinkClient removes r from the records of its client. r keeps its client, whose
// address does not change.
func (j *Journal) unlinkClient(r *record) {
	c := r.client
	if r.olderOfClient == nil {
		c.oldest = r.newerOfClient
	} else {
		r.olderOfClient.newerOfClient = r.newerOfClient
	}
	if r.newerOfClient == nil {
		c.newest = r.olderOfClient
	} else {
		r.newerOfClient.olderOfClient = r.olderOfClient
	}
	r.olderOfClient, r.newerOfClient = nil, nil
	c.kept--
	if c.kept > 0 {
		heap.Fix(&j.byKept, c.index)
		return
	}
	heap.Remove(&j.byKept, c.index)
	delete(j.clients, c.addr)
}

// nextToDrop returns the record to drop next.
func (j *Journal) nextToDrop() *record {
	oldest, greatest := j.all.newer, j.byKept[0]
	if oldest.client == greatest || j.now().Sub(oldest.start) >= fresh {
		return oldest
	}
	return greatest.oldest
}
