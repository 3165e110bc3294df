package gate

// Standing returns the number of waiting requests at each barrier.
func (b *Barriers) Standing() map[Name]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	standing := map[Name]int{}
	for name, at := range b.live {
		standing[name] = at.len
	}
	return standing
}
