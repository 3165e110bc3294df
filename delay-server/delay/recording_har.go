package delay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// readHAR reads log.entries[].time of an HTTP archive, in milliseconds. It skips entries
// with a null time or status 0: browsers write them for blocked and cancelled requests.
// The error begins with the line: "3: …".
func readHAR(text []byte) (measured, error) {
	at := func(offset int64, err error) error {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = syntax.Offset
		}
		return fmt.Errorf("%d: %w", 1+bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n")), err)
	}
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return measured{}, at(int64(len(text)), err) // the text after the entries must be valid too
	}
	d := json.NewDecoder(bytes.NewReader(text))
	for _, name := range []string{"log", "entries"} {
		if err := enter(d, name); err != nil {
			return measured{}, at(d.InputOffset(), err)
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return measured{}, at(d.InputOffset(), errors.New("log.entries is not a list"))
	}
	var m measured
	for d.More() {
		var entry json.RawMessage
		if err := d.Decode(&entry); err != nil {
			return measured{}, at(d.InputOffset(), err)
		}
		begin := d.InputOffset() - int64(len(entry))
		wait, answered, offset, err := readEntry(entry)
		switch {
		case err != nil:
			return measured{}, at(begin+offset, fmt.Errorf("entry %d: %w", len(m.times)+m.skipped+1, err))
		case answered:
			m.times = append(m.times, wait)
		default:
			m.skipped++
		}
	}
	return m, nil
}

// readEntry reads the time of an entry and whether it was answered. offset is the
// position of an error in text.
func readEntry(text json.RawMessage) (wait time.Duration, answered bool, offset int64, err error) {
	var entry struct {
		Time     json.RawMessage
		Response json.RawMessage
	}
	if err := json.Unmarshal(text, &entry); err != nil {
		return 0, false, 0, errors.New("it is not an object")
	}
	var response struct{ Status *float64 }
	if json.Unmarshal(entry.Response, &response) == nil && response.Status != nil && *response.Status == 0 ||
		string(entry.Time) == "null" {
		return 0, false, 0, nil
	}
	if entry.Time == nil {
		return 0, false, 0, errors.New("it has no time")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := enter(d, "time"); err != nil {
		return 0, false, 0, err
	}
	_ = d.Decode(new(json.RawMessage)) // skip the value, whose line the error names
	wait, err = latency(string(entry.Time), time.Millisecond)
	return wait, true, d.InputOffset() - int64(len(entry.Time)), err
}

// enter reads up to the value of the object's member name.
func enter(d *json.Decoder, name string) error {
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("there is no object with %q", name)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if key == name {
			return nil
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return fmt.Errorf("there is no %q", name)
}
