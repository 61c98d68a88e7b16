// Provider @number: what a tile multiplies and adds up in f32.
alias Number = f32;
const SHORT_SUMS: bool = false;
