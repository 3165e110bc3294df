package plan

import (
	"fmt"

	"flash.test/delay-server/internal/gate"
)

// maxWorkers is the maximum of a pool's workers and of its queue.
const maxWorkers = 1_000_000

var _ = register(Parameter{
	Name: "pool", In: InQuery, Route: "pool.name", Requires: "workers",
	Usage:   "1 to 200 visible ASCII characters",
	Meaning: "Name of the [pool](/doc#pools) of workers that serves the wait. " + nameOfRun,
	Example: "db", Schema: `{ $ref: "#/components/schemas/Name" }`,
	parse: parsePool,
})

var _ = register(Parameter{
	Name: "workers", In: InQuery, Route: "pool.workers", Same: true, Requires: "pool",
	Usage:   fmt.Sprint("1 to ", maxWorkers),
	Meaning: "Number of workers of the pool. Required with `pool`.",
	Example: "4", Schema: fmt.Sprintf(`{ type: integer, minimum: 1, maximum: %d }`, maxWorkers),
})

var _ = register(Parameter{
	Name: "queue", In: InQuery, Route: "pool.queue", Same: true, Requires: "pool",
	Usage:   fmt.Sprint("0 to ", maxWorkers),
	Meaning: "How many requests may wait for a worker; no limit by default.",
	Example: "16", Schema: fmt.Sprintf(`{ type: integer, minimum: 0, maximum: %d }`, maxWorkers),
})

// parsePool parses pool, workers and queue.
func parsePool(in *input, o *options) error {
	spec := gate.PoolSpec{Name: in.get("pool"), Queue: -1, Operator: in.trusted}
	if err := o.setName("pool", spec.Name); err != nil {
		return err
	}
	workers, err := in.parseInt("workers", 1, maxWorkers)
	if err != nil {
		return err
	}
	spec.Workers = int(workers)
	if in.has("queue") {
		queue, err := in.parseInt("queue", 0, maxWorkers)
		if err != nil {
			return err
		}
		spec.Queue = int(queue)
	}
	o.pool = &spec
	return nil
}
