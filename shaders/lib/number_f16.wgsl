// Provider @number: a tile computes in f16. The device must support it.
enable f16;

alias Number = f16;
const SHORT_SUMS: bool = true; // sums are accumulated in f32 after 16 products
