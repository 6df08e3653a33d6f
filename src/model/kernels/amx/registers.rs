//! The tile registers of a processor: asking for them, setting them up, and adding up products in them.
//!
//! Instructions: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::mem::MaybeUninit;
use std::sync::LazyLock;

/// Rows of a tile, and columns of a tile of sums.
pub const SIDE: usize = 16;
/// Bytes in a row of a tile: what each step takes of a weight's row.
pub const STEP: usize = super::super::number::ROW_BYTES;

/// The sums of one pair of tiles with another: four tiles, [output half and row half, output, row], of `f32` or of the
/// bits of whole numbers.
pub type Sums = [[[f32; SIDE]; SIDE]; 4];

/// The products of two tiles of weights with two of x, added up over so many steps.
///
/// # Safety
/// Tiles are set up; there are two tiles of rows of weights, `stride` bytes apart, and two tiles of x for each step.
macro_rules! multiply {
    ($name:ident, $product:literal) => {
        pub unsafe fn $name(weights: *const u8, stride: usize, x: *const u8, steps: usize) -> Sums {
            let mut sums = MaybeUninit::uninit();
            // SAFETY: the caller promises that the tiles are set up and the memory is there; all sums are written.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{weights} + {stride} * 1]",
                    "tileloadd tmm6, [{x} + {row} * 1]",
                    "tileloadd tmm5, [{others} + {stride} * 1]",
                    "tileloadd tmm7, [{x} + {row} * 1 + 1024]",
                    concat!($product, " tmm0, tmm4, tmm6"),
                    concat!($product, " tmm1, tmm4, tmm7"),
                    concat!($product, " tmm2, tmm5, tmm6"),
                    concat!($product, " tmm3, tmm5, tmm7"),
                    "add {weights}, 64",
                    "add {others}, 64",
                    "add {x}, 2048",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {row} * 1], tmm0",
                    "tilestored [{sums} + {row} * 1 + 1024], tmm1",
                    "tilestored [{sums} + {row} * 1 + 2048], tmm2",
                    "tilestored [{sums} + {row} * 1 + 3072], tmm3",
                    weights = inout(reg) weights => _,
                    others = inout(reg) weights.wrapping_add(SIDE * stride) => _,
                    stride = in(reg) stride,
                    x = inout(reg) x => _,
                    steps = inout(reg) steps => _,
                    sums = in(reg) sums.as_mut_ptr(),
                    row = in(reg) STEP,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
                sums.assume_init()
            }
        }
    };
}

multiply!(multiply_bf16, "tdpbf16ps");
multiply!(multiply_signed, "tdpbssd");
multiply!(multiply_unsigned, "tdpbsud");

/// A thread's tiles, ready to be used until this is dropped.
pub struct Tiles;

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    /// # Safety
    /// [`IS_AVAILABLE`] says so.
    pub unsafe fn new() -> Tiles {
        let mut configuration =
            Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        configuration.row_bytes[..8].fill(STEP as u16);
        configuration.rows[..8].fill(SIDE as u8);
        // SAFETY: the caller promises that the instruction is there, and it reads these 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, readonly)) };
        Tiles
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the instruction is there, and nothing uses the tiles any more.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Whether the processor has tiles of both kinds (and AVX-512 along with them), and the system lets us use them.
pub static IS_AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
    let features = __cpuid_count(7, 0).edx;
    let has = |bit: u32| features & (1 << bit) != 0;
    has(22) && has(24) && has(25) && is_x86_feature_detected!("avx512f") && is_permitted()
});

/// Linux saves tiles for those programs alone that ask for it (Documentation/arch/x86/xstate.rst).
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: it takes two numbers and changes only what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}
