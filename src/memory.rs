//! How much memory the program holds, so that a script cannot use it all up unnoticed; and that it keeps some.
//!
//! The allocator counts, because an operating system's own figures count mapped weights too, and lag behind.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes that are in use now, mapped files not counted.
pub fn held() -> usize {
    HEAP.allocated()
}

/// Keeps memory that was given back for whoever asks next: a prompt takes and gives back the same megabytes in each
/// layer, and the system takes longer to clear their pages than some layers to compute.
///
/// With glibc only; elsewhere it has no effect.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Bytes from which a block gets pages of its own, which go back at once: the most that glibc allows.
        const LARGE: libc::c_int = 32 << 20;
        /// Bytes that may stay at the end of its heap.
        const KEPT: libc::c_int = 256 << 20;
        // SAFETY: these set two numbers of the allocator.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_counted() {
        // Other tests allocate at the same time, but not as much.
        const MUCH: usize = 1 << 30;
        let before = held();
        let block: Vec<u8> = Vec::with_capacity(MUCH);
        assert!(held() > before + MUCH / 2);
        drop(block);
        assert!(held() < before + MUCH / 2);
    }
}
