package gate

// Standing returns how many stand at each barrier that lives.
func (b *Barriers) Standing() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	standing := map[string]int{}
	for name, at := range b.live {
		standing[name] = at.line.len()
	}
	return standing
}

// Locked reports whether somebody is at the pools now.
func (p *Pools) Locked() bool {
	if p.mu.TryLock() {
		p.mu.Unlock()
		return false
	}
	return true
}
