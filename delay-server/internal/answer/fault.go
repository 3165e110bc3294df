package answer

// Fault is a way to fail a response. Over HTTP/2 a fault ends only its stream, with
// RST_STREAM.
type Fault string

// The faults.
const (
	Reset Fault = "reset" // TCP RST
	Empty Fault = "empty" // the connection is closed without a response

	// Garbage sends bytes that are not HTTP, and closes the connection. Over HTTP/2, they
	// are the body.
	Garbage Fault = "garbage"

	// Truncate sends half of the body if Content-Length is known, or else all of it without
	// its end, and closes the connection.
	Truncate Fault = "truncate"

	// Hang sends nothing until the client leaves or MAX_DELAY has passed. Then it is Empty.
	Hang Fault = "hang"
)

// Faults lists all faults.
var Faults = []Fault{Reset, Empty, Garbage, Truncate, Hang}

// ReplacesResponse reports whether f is sent in place of a response: all but Truncate are.
func (f Fault) ReplacesResponse() bool { return f != "" && f != Truncate }

// NoHTTP is what Garbage sends. No version of HTTP begins with these bytes.
const NoHTTP = "\x00\xff\xfe GARBAGE \x7f\x00 this is no HTTP \xff\x00\r\n\r\n"
