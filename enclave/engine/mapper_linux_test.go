package engine

// blinded is the mapper as it is where there is no page map.
func blinded(m *mapper, blind bool) *mapper {
	if blind {
		return &mapper{page: m.page, pagemap: -1}
	}
	return m
}
