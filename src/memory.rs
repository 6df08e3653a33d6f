//! How much memory the program holds, so that a script cannot use it all up unnoticed.
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
