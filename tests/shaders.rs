//! Every kernel composes and validates without a GPU, and its uniform is what the wrapper writes.
