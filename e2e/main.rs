//! Black-box tests of the built binary.

#[cfg(test)]
mod image;
