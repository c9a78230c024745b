package leaves

// Late is late, for its tests.
var Late = late
