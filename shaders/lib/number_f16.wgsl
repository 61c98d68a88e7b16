// Provider @number: what a tile multiplies and adds up in f16, where the device has it.
enable f16;

alias Number = f16;
const SHORT_SUMS: bool = true; // f32 takes over after 16 products
