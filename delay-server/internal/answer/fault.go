package answer

// Fault is a way not to answer as HTTP has it. Over HTTP/2, where the
// connection is shared, each ends its own stream with RST_STREAM.
type Fault string

// The faults.
const (
	Reset    Fault = "reset"    // the connection ends with a TCP RST
	Empty    Fault = "empty"    // the connection ends without a byte
	Garbage  Fault = "garbage"  // bytes that are no HTTP, then the connection's end; over HTTP/2, a body of them, then RST_STREAM
	Truncate Fault = "truncate" // half of the body that Content-Length promises, or all parts where it promises none, then the connection's end
	Hang     Fault = "hang"     // no answer until the client leaves, or MAX_DELAY, then as Empty
)

// Faults lists all faults.
var Faults = []Fault{Reset, Empty, Garbage, Truncate, Hang}

// NoHTTP is what Garbage sends: no version of HTTP begins so.
const NoHTTP = "\x00\xff\xfe GARBAGE \x7f\x00 this is no HTTP \xff\x00\r\n\r\n"
