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

	_, err = delay.Parse("uniform:9s,1s")
	fmt.Println(err)
	// Output:
	// 1500 <nil>
	// 120ms 900ms <nil>
	// delay "uniform:9s,1s" is invalid (MIN 9s is above MAX 1s): use uniform:MIN,MAX, such as uniform:100ms,900ms
}
