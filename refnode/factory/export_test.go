package factory

// KeySpendHash lets tests hash transactions of any size.
var KeySpendHash = keySpend
