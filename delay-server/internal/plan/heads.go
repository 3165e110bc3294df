package plan

import (
	"strings"
	"sync/atomic"

	"flash.test/delay-server/internal/answer"
)

// maxHeads is the maximum number of heads that a template caches.
const maxHeads = 32

// headCache caches heads. It is copy-on-write: readers take no lock.
type headCache struct{ heads atomic.Pointer[[]cachedHead] }

type cachedHead struct {
	status, protoMajor int
	paced              bool
	origin             string
	head               *answer.Head
}

// Head returns the cached head for the arguments, or calls build and caches the result.
// The head must depend on nothing else. Head copies origin.
func (t *Template) Head(status, protoMajor int, paced bool, origin string, build func() *answer.Head) *answer.Head {
	if t.dynamic {
		return build()
	}
	old := t.heads.heads.Load()
	if old != nil {
		for i := range *old {
			if h := &(*old)[i]; h.status == status && h.protoMajor == protoMajor && h.paced == paced &&
				h.origin == origin {
				return h.head
			}
		}
		if len(*old) == maxHeads {
			return build()
		}
	}
	head := build()
	var heads []cachedHead
	if old != nil {
		heads = append(make([]cachedHead, 0, len(*old)+1), *old...)
	}
	heads = append(heads, cachedHead{status, protoMajor, paced, strings.Clone(origin), head})
	t.heads.heads.CompareAndSwap(old, &heads) // on failure the next request builds it again
	return head
}
