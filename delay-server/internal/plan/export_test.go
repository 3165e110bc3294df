package plan

// DropTemplates empties the cache of p.
func (p *Planner) DropTemplates() { p.cache = newCache() }
