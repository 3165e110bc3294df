package journal

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
	"unique"
)

// maxText is the maximum length of a recorded text, in bytes. It fits a byte.
const maxText = 200

// record is the record of a wait: 224 bytes, and its texts. Strings are copied, since they
// are parts of the whole request line or header.
type record struct {
	older, newer *record // in the ring

	run                    *runStats
	olderOfRun, newerOfRun *record

	client                       *client
	olderOfClient, newerOfClient *record

	method                unique.Handle[string]
	texts                 string // path, query, and the values of Journal.Headers; see appendText
	connection            uint64
	start                 time.Time
	sentAfter             time.Duration // from start; negative until the answer is sent
	asked, queued, waited time.Duration
	outcome               Outcome
	response              Response
	attempt               int32
	protoMajor            uint8
	protoMinor            uint8
	reused                bool
	begun                 bool // by Journal.Begin
}

// newRecord returns the record of w and r, which may be nil.
func (j *Journal) newRecord(w *Wait, r *Request) *record {
	record := &record{
		method: unique.Make(w.Method[:min(len(w.Method), maxText)]),
		start:  w.Start, sentAfter: -1, asked: w.Asked, attempt: int32(w.Attempt),
	}
	var buf [3 * maxText]byte // most texts fit, so that only the string is allocated
	texts := appendText(buf[:0], w.Path)
	if r != nil {
		record.connection, record.reused = r.Connection, r.Reused
		record.protoMajor, record.protoMinor = uint8(r.ProtoMajor), uint8(r.ProtoMinor)
		texts = appendText(texts, r.Query)
		if r.Headers != nil {
			for _, name := range j.Headers {
				texts = appendText(texts, r.Headers.Get(name))
			}
		}
	}
	record.texts = string(texts)
	return record
}

// sent reports whether the answer was sent.
func (r *record) sent() bool { return r.sentAfter >= 0 }

// end returns when the answer of r was sent.
func (r *record) end() time.Time { return r.start.Add(r.sentAfter) }

// appendText appends text to b, after a byte with its length. It cuts text to maxText
// bytes with "…" at the end, between runes.
func appendText(b []byte, text string) []byte {
	if len(text) <= maxText {
		b = append(b, byte(len(text)))
		return append(b, text...)
	}
	cut := maxText - len("…")
	for range utf8.UTFMax - 1 { // a bound, since text may be invalid UTF-8
		if utf8.RuneStart(text[cut]) {
			break
		}
		cut--
	}
	b = append(b, byte(cut+len("…")))
	b = append(b, text[:cut]...)
	return append(b, "…"...)
}

// Clip returns a text as the journal records it: cut to 200 bytes, with "…" at the end.
func Clip(text string) string { return string(appendText(nil, text)[1:]) }

// nextText returns the first of texts that appendText appended, and the others. Both are
// "" if there is none.
func nextText(texts string) (text, others string) {
	if texts == "" {
		return "", ""
	}
	end := 1 + int(texts[0])
	return texts[1:end], texts[end:]
}

// CloneHeaders returns the fields of h that are recorded, in memory of their own.
func (j *Journal) CloneHeaders(h Headers) Headers {
	var values []byte
	for _, name := range j.Headers {
		values = appendText(values, h.Get(name))
	}
	return &clonedHeaders{names: j.Headers, values: string(values)}
}

// clonedHeaders has the values of header fields, as appendText appends them.
type clonedHeaders struct {
	names  []string
	values string
}

// Get implements Headers.
func (h *clonedHeaders) Get(name string) string {
	value, others := nextText(h.values)
	for _, known := range h.names {
		if known == name {
			return value
		}
		value, others = nextText(others)
	}
	return ""
}

// runStats has the statistics and records of a run. It exists while the run has a
// record or a request that has not ended.
type runStats struct {
	id             string
	seq            int // sequence number
	requests       int
	waiting        int // not ended
	inFlight, peak int // not sent
	first, last    time.Time
	sum            time.Duration
	dropped        int64
	oldest, newest *record // linked by olderOfRun and newerOfRun
	kept           int
	flights        node // head of a ring: its waits in flight

	version        uint64 // of the last change
	earlier, later *runStats
	removed        bool
}

// count counts w in its run. It creates the run if there is none.
func (j *Journal) count(w *Wait) *runStats {
	s := j.runs[w.Run]
	if s == nil {
		j.begun++
		s = &runStats{id: strings.Clone(w.Run), seq: j.begun, first: w.Start, last: w.Start}
		s.flights.init()
		j.runs[s.id] = s
	}
	j.touch(s)
	s.requests++
	if w.Start.Before(s.first) {
		s.first = w.Start
	}
	s.extend(w.Start)
	return s
}

// extend moves the end of the run to end, unless it is later already.
func (s *runStats) extend(end time.Time) {
	if end.After(s.last) {
		s.last = end
	}
}

// append adds r, the newest record, and drops one if there are too many.
func (j *Journal) append(s *runStats, r *record, from netip.Addr) {
	r.run = s
	j.linkClient(r, from)
	r.older, r.newer = j.all.older, &j.all
	r.older.newer, j.all.older = r, r
	j.kept++
	s.link(r)
	if j.kept > j.size {
		j.drop(j.nextToDrop())
	}
	if j.grown++; j.Growing != nil && j.grown >= max(1, j.size/4) {
		j.grown = 0
		j.Growing()
	}
	j.changed.Broadcast()
}

// link adds r, the newest record, to the records of s.
func (s *runStats) link(r *record) {
	r.olderOfRun = s.newest
	if s.newest == nil {
		s.oldest = r
	} else {
		s.newest.newerOfRun = r
	}
	s.newest = r
	s.kept++
}

// unlink removes r from the records of s. So if r is in flight, it keeps no other record
// in memory.
func (s *runStats) unlink(r *record) {
	if r.olderOfRun == nil {
		s.oldest = r.newerOfRun
	} else {
		r.olderOfRun.newerOfRun = r.newerOfRun
	}
	if r.newerOfRun == nil {
		s.newest = r.olderOfRun
	} else {
		r.newerOfRun.olderOfRun = r.olderOfRun
	}
	r.olderOfRun, r.newerOfRun = nil, nil
	s.kept--
}

// drop drops r for a newer record.
func (j *Journal) drop(r *record) {
	j.unlink(r)
	r.run.unlink(r)
	r.run.dropped++
	j.dropped++
	j.removeIfEmpty(r.run)
}

// unlink removes r from the ring, and from its client.
func (j *Journal) unlink(r *record) {
	j.unlinkClient(r)
	r.older.newer, r.newer.older = r.newer, r.older
	r.older, r.newer = nil, nil
	j.kept--
}

// removeIfEmpty removes a run with neither records nor unfinished requests: all its
// records were dropped.
func (j *Journal) removeIfEmpty(s *runStats) {
	if s.kept == 0 && s.waiting == 0 && j.runs[s.id] == s {
		j.remove(s)
		j.droppedRuns++
	}
}

// send marks r, the record of w, as sent.
func (r *record) send(w *Wait, now time.Time) {
	r.sentAfter, r.queued, r.waited = max(0, now.Sub(r.start)), w.Queued, w.Waited
	r.response = w.Response
	r.run.inFlight--
	r.run.sum += r.sentAfter - r.queued
	r.run.extend(now)
}

// complete gives the record of w its outcome, and its response again: a fault that could
// not be sent was replaced by a problem.
func (j *Journal) complete(w *Wait, outcome Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := w.record
	r.response, r.outcome = w.Response, outcome
	j.noteProblem(r, w)
	j.touch(r.run)
	r.run.waiting--
	j.removeIfEmpty(r.run)
	j.changed.Broadcast()
}
