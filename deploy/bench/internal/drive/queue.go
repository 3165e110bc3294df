package drive

// queue is a FIFO of indices with a fixed capacity.
type queue struct {
	ring       []int32
	head, size int
}

func newQueue(n int) queue { return queue{ring: make([]int32, n)} }

func (q *queue) push(i int) {
	q.ring[(q.head+q.size)%len(q.ring)] = int32(i)
	q.size++
}

func (q *queue) pop() (int, bool) {
	if q.size == 0 {
		return 0, false
	}
	i := q.ring[q.head]
	q.head = (q.head + 1) % len(q.ring)
	q.size--
	return int(i), true
}
