//! The fast CPU loops: what the forward pass spends its time in, over plain slices of `f32`.
//!
//! Each loop is written once over [`pulp::Simd`] (see [`crate::vector`]) and for all kinds of numbers. Work is cut into
//! pieces of a fixed size, so that the order of the additions, and with it every bit of the result, does not depend on
//! the number of threads.

mod activation;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod attention;
mod few;
mod layer_norm;
mod matrix;
mod number;
mod panels;
mod part;
mod products;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod rounding;
mod rows;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod testing;
mod tiles;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod vnni;

pub use attention::{Head, attend};
pub use layer_norm::layer_norm;
pub use matrix::{Finish, Layout, Matrix, linear, linear_of_rounded};
pub use number::{Number, ROW_BYTES, ROWS_TOGETHER};

use crate::parallel::for_each_chunk;

/// x += y, element by element.
pub fn add(x: &mut [f32], y: &[f32]) {
    const PIECE: usize = 1 << 15;
    for_each_chunk(x, PIECE, |piece, x| x.iter_mut().zip(&y[piece * PIECE..]).for_each(|(x, y)| *x += y));
}
