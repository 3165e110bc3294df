package delay_test

import (
	"fmt"

	"flash.test/delay-server/delay"
)

func ExampleParse() {
	d, err := delay.Parse("1.5s")
	fmt.Println(d, err)

	d, err = delay.Parse("lognormal:120ms,900ms")
	fmt.Println(d.Quantile(0.5), d.Quantile(0.99), err)

	_, err = delay.Parse("lognormal:900ms,120ms")
	fmt.Println(err)
	// Output:
	// 1500 <nil>
	// 120ms 900ms <nil>
	// delay "lognormal:900ms,120ms" is invalid (P99 120ms is below MEDIAN 900ms): use
	// lognormal:MEDIAN,P99, such as lognormal:120ms,900ms
}
