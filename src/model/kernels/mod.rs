//! The fast CPU loops: what the forward pass spends its time in, over plain slices of `f32`.
//!
//! Each loop is written once over [`pulp::Simd`] and compiled for AVX-512, AVX2, NEON and plain Rust; which one
//! runs is decided when the program runs. Work is cut into pieces of a fixed size, so that the order of the
//! additions, and with it every bit of the result, does not depend on the number of threads.

mod activation;
mod attention;
mod layer_norm;
mod matrix;
mod rows;
mod vector;

pub use activation::activate;
pub use attention::{Head, attend};
pub use layer_norm::layer_norm;
pub use matrix::{Layout, linear};
pub use rows::add;

/// Computes with so many threads from now on, instead of one for each core or what `RAYON_NUM_THREADS` says. Without
/// effect once something was computed.
pub fn use_threads(threads: usize) {
    // It fails only if the threads run already.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

#[cfg(test)]
pub mod testing {
    //! Running one loop under each instruction set that this machine has.

    /// Evaluates `$body` once for each instruction set, `$simd` being bound to it.
    macro_rules! on_every_instruction_set {
        (|$simd:ident| $body:expr) => {{
            {
                let $simd = pulp::Scalar;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            {
                if let Some($simd) = pulp::x86::V3::try_new() {
                    $body
                }
                if let Some($simd) = pulp::x86::V4::try_new() {
                    $body
                }
            }
            #[cfg(target_arch = "aarch64")]
            if let Some($simd) = pulp::aarch64::Neon::try_new() {
                $body
            }
        }};
    }
    pub(crate) use on_every_instruction_set;

    /// Numbers between -1 and 1 that look random and are always the same.
    pub fn numbers(count: usize) -> Vec<f32> {
        let mut state = 0x2545_f491_u32;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    pub fn assert_close(left: &[f32], right: &[f32], tolerance: f32) {
        assert_eq!(left.len(), right.len());
        for (index, (a, b)) in left.iter().zip(right).enumerate() {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "at {index}: {a} and {b}");
        }
    }
}
