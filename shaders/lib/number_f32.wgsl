// Provider @number: a tile computes in f32.
alias Number = f32;
const SHORT_SUMS: bool = false;
