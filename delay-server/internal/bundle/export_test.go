package bundle

// IsHashed reports whether a file is being hashed.
func (b *Bundle) IsHashed(name string) bool { return len(b.named[name].hashing) > 0 }
