//! A rectangle of y, for threads that each write to places of their own.

use std::slice;

/// Some rows and columns of a matrix.
#[derive(Clone, Copy)]
pub struct Part {
    start: *mut f32,
    /// From row to row.
    stride: usize,
    rows: usize,
    columns: usize,
}

// SAFETY: whoever made it has promised that no two threads use the same places.
unsafe impl Sync for Part {}

impl Part {
    /// # Safety
    /// All of it is inside of what `start` points into. As long as there is this or a part of it, nothing else refers to
    /// it, and no two threads use the same places.
    pub unsafe fn new(start: *mut f32, stride: usize, rows: usize, columns: usize) -> Part {
        Part { start, stride, rows, columns }
    }

    /// So many rows from one on, as far as there are some.
    #[inline(always)]
    pub fn rows(self, first: usize, count: usize) -> Part {
        let start = self.start.wrapping_add(first * self.stride);
        Part { start, rows: count.min(self.rows - first), ..self }
    }

    /// So many columns from one on, as far as there are some.
    #[inline(always)]
    pub fn columns(self, first: usize, count: usize) -> Part {
        Part { start: self.start.wrapping_add(first), columns: count.min(self.columns - first), ..self }
    }

    pub fn height(self) -> usize {
        self.rows
    }

    pub fn width(self) -> usize {
        self.columns
    }

    /// From row to row.
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    pub fn stride(self) -> usize {
        self.stride
    }

    /// The first place of a row.
    #[inline(always)]
    pub fn row(self, row: usize) -> *mut f32 {
        self.start.wrapping_add(row * self.stride)
    }

    /// Each row.
    ///
    /// # Safety
    /// All of it was written.
    pub unsafe fn written<'a>(self) -> impl Iterator<Item = &'a mut [f32]> {
        // SAFETY: it was written, and belongs to this part.
        (0..self.rows).map(move |row| unsafe { slice::from_raw_parts_mut(self.row(row), self.columns) })
    }
}
