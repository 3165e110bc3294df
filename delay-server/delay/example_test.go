package delay_test

import (
	"fmt"

	"flash.test/delay-server/delay"
)

func ExampleParse() {
	d, err := delay.Parse("1.5s")
	fmt.Println(d, err)

	_, err = delay.Parse("soon")
	fmt.Println(err)
	// Output:
	// 1500 <nil>
	// delay "soon" is not understood; accepted: milliseconds (1000, 1.5), a Go duration (250ms, 1.5s, 2m) or "random"
}
