//! y = x · W for many rows of x, at the speed of arithmetic. Whatever kind of numbers a weight consists of, packing makes
//! `f32` of them: there is one loop for all precisions.

use std::cell::RefCell;
use std::ops::Range;
use std::slice;

use super::matrix::{Matrix, finish};
use super::number::Number;
use super::panels::{INPUTS, MORE_ROWS, Packed, Panel, ROWS, add_product, has_many_registers, pack_rows};
use super::part::Part;
use crate::parallel::{for_each_part, from_chunks, threads};

/// Outputs of a packed block of W, which stays in the second-level cache.
const OUTPUTS: usize = 192;

/// y [rows, outputs] = x [rows, inputs] · W, finished.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    match has_many_registers() {
        true => multiply_by_tiles::<MORE_ROWS, N>(x, weight),
        false => multiply_by_tiles::<ROWS, N>(x, weight),
    }
}

fn multiply_by_tiles<const ROWS: usize, N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { inputs, outputs, .. } = weight;
    let rows = x.len() / inputs;
    let blocks = inputs.div_ceil(INPUTS);
    let panels = from_chunks([[0.0; INPUTS]; ROWS], rows.div_ceil(ROWS) * blocks, blocks, |panel, packed| {
        pack_rows(x[panel * ROWS * inputs..].chunks_exact(inputs), packed);
    });
    let mut y = Vec::with_capacity(rows * outputs);
    // SAFETY: there is room for all of it, and the threads get parts of their own.
    let whole = unsafe { Part::new(y.as_mut_ptr(), outputs, rows, outputs) };
    // Each part packs its block of W anew: rows are shared out only where there are too few blocks for all threads.
    let column_parts = outputs.div_ceil(OUTPUTS);
    let row_parts = (4 * threads()).div_ceil(column_parts);
    let row_part = rows.div_ceil(row_parts).next_multiple_of(8 * MORE_ROWS);
    let row_parts = rows.div_ceil(row_part);
    for_each_part(column_parts * row_parts, |part| {
        let columns = piece(part / row_parts, OUTPUTS, outputs);
        let rows = piece(part % row_parts, row_part, rows);
        let panels = &panels[rows.start / ROWS * blocks..rows.end.div_ceil(ROWS) * blocks];
        let y = whole.rows(rows.start, rows.len()).columns(columns.start, columns.len());
        PACKED.with_borrow_mut(|packed| multiply_part(panels, weight, columns, packed, y));
    });
    // SAFETY: the parts are all of y, and each was computed.
    unsafe { y.set_len(rows * outputs) };
    y
}

thread_local! {
    /// A thread's packed block of W, kept for the next one.
    static PACKED: RefCell<Packed> = RefCell::default();
}

/// y = x · W for some rows of x, in panels for each block of inputs, and some columns of W.
fn multiply_part<const ROWS: usize, N: Number>(
    panels: &[Panel<ROWS>],
    weight: Matrix<N>,
    columns: Range<usize>,
    packed: &mut Packed,
    y: Part,
) {
    let blocks = weight.inputs.div_ceil(INPUTS);
    for index in 0..blocks {
        let inputs = piece(index, INPUTS, weight.inputs);
        packed.take(weight, inputs.clone(), columns.clone());
        let mut panels = panels.iter().skip(index).step_by(blocks).zip((0..).step_by(ROWS)).peekable();
        while let Some((panel, row)) = panels.next() {
            let ahead = panels.peek().map_or(&[][..], |(next, _)| next.as_flattened());
            let y = y.rows(row, ROWS);
            add_product(slice::from_ref(panel), packed, inputs.len(), y, index == 0, ahead);
            if index + 1 == blocks {
                // SAFETY: these are the last products.
                unsafe { y.written() }.for_each(|y| finish(weight.finish, columns.start, y));
            }
        }
    }
}

/// The `index`th piece of `size` below `end`.
fn piece(index: usize, size: usize, end: usize) -> Range<usize> {
    index * size..((index + 1) * size).min(end)
}
