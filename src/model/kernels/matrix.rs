//! y = xW + b: one row of x at the speed of memory, many rows at the speed of arithmetic.

use rayon::prelude::*;

use super::rows::{add_scaled_rows, dot_rows};

/// How a weight lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// [inputs, outputs], as GPT-2's `Conv1D` keeps it.
    InputsByOutputs,
    /// [outputs, inputs], as an embedding that serves as the head.
    OutputsByInputs,
}

/// y [rows, outputs] = x [rows, inputs] · W, plus the bias [outputs].
pub fn linear(x: &[f32], weight: &[f32], layout: Layout, bias: Option<&[f32]>, inputs: usize) -> Vec<f32> {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    match layout {
        Layout::InputsByOutputs if rows == 1 => sum_of_scaled_rows(x, weight, bias),
        Layout::OutputsByInputs if rows == 1 => products_with_rows(x, weight, bias),
        _ => {
            let weight = match layout {
                Layout::InputsByOutputs => Matrix::rows(weight, inputs, outputs),
                Layout::OutputsByInputs => Matrix::rows(weight, outputs, inputs).transposed(),
            };
            let mut y = vec![0.0; rows * outputs];
            multiply_in_parallel(Matrix::rows(x, rows, inputs), weight, &mut y);
            if let Some(bias) = bias {
                y.par_chunks_mut(outputs).for_each(|y| y.iter_mut().zip(bias).for_each(|(y, b)| *y += b));
            }
            y
        }
    }
}

/// Σᵢ xᵢ · row i: each thread reads whole rows in the order in which they lie in memory.
fn sum_of_scaled_rows(x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let outputs = weight.len() / x.len();
    let rows = x.len().div_ceil(PARTS);
    let mut partial = vec![0.0; x.len().div_ceil(rows) * outputs];
    partial
        .par_chunks_mut(outputs)
        .zip(x.par_chunks(rows).zip(weight.par_chunks(rows * outputs)))
        .for_each(|(y, (x, rows))| add_scaled_rows(x, rows, y));
    let mut y = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
    for part in partial.chunks_exact(outputs) {
        y.iter_mut().zip(part).for_each(|(y, part)| *y += part);
    }
    y
}

/// A fixed number, so that the sum is the same on every machine; more than the threads of most, so that a busy
/// core does not hold up the others for long.
const PARTS: usize = 16;

/// x · row o, for each output o.
fn products_with_rows(x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let inputs = x.len();
    let outputs = weight.len() / inputs;
    let rows = outputs.div_ceil(PARTS);
    let mut y = vec![0.0; outputs];
    y.par_chunks_mut(rows).zip(weight.par_chunks(rows * inputs)).for_each(|(y, rows)| dot_rows(x, rows, y));
    if let Some(bias) = bias {
        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
    y
}

/// A matrix that lies somewhere in a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The first rows of a slice that holds row after row.
    pub fn rows(values: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    pub fn transposed(self) -> Matrix<'a> {
        let Matrix { values, rows, columns, row_stride, column_stride } = self;
        Matrix { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// The columns from `first` on.
    fn columns_from(self, first: usize, columns: usize) -> Matrix<'a> {
        Matrix { values: &self.values[first * self.column_stride..], columns, ..self }
    }

    fn is_inside(&self) -> bool {
        let last = (self.rows.max(1) - 1) * self.row_stride + (self.columns.max(1) - 1) * self.column_stride;
        last < self.values.len()
    }
}

/// c = a · b, with `c_stride` from row to row of c.
pub fn multiply(a: Matrix, b: Matrix, c: &mut [f32], c_stride: usize) {
    assert!(a.rows > 0 && b.columns <= c_stride && (a.rows - 1) * c_stride + b.columns <= c.len());
    // SAFETY: c is borrowed exclusively, and all it writes to lies inside c, as was just checked.
    unsafe { multiply_into(a, b, c.as_mut_ptr(), c_stride) }
}

/// c = a · b, c having exactly b's columns, its columns shared out among the threads.
fn multiply_in_parallel(a: Matrix, b: Matrix, c: &mut [f32]) {
    #[derive(Clone, Copy)]
    struct Output(*mut f32);
    // SAFETY: it is only written through, and each thread writes to columns of its own.
    unsafe impl Send for Output {}
    // SAFETY: as above.
    unsafe impl Sync for Output {}
    impl Output {
        fn column(self, first: usize) -> *mut f32 {
            self.0.wrapping_add(first)
        }
    }

    assert_eq!(c.len(), a.rows * b.columns);
    let stride = b.columns;
    let output = Output(c.as_mut_ptr());
    let width = stride.div_ceil(2 * rayon::current_num_threads()).next_multiple_of(64);
    (0..stride.div_ceil(width)).into_par_iter().for_each(|part| {
        let first = part * width;
        let columns = width.min(stride - first);
        // SAFETY: c has room for a.rows rows of `stride`, and no two parts share a column.
        unsafe { multiply_into(a, b.columns_from(first, columns), output.column(first), stride) }
    });
}

/// c = a · b by the gemm crate, on this thread.
///
/// # Safety
/// `c` must be valid for writes of `a.rows` rows of `b.columns` numbers, `c_stride` apart.
unsafe fn multiply_into(a: Matrix, b: Matrix, c: *mut f32, c_stride: usize) {
    assert_eq!(a.columns, b.rows);
    assert!(a.is_inside() && b.is_inside());
    // SAFETY: a and b were just checked to lie inside their slices; c is the caller's promise.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            c,
            1,
            c_stride as isize,
            false,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::testing::{assert_close, numbers};

    fn plain(x: &[f32], weight: &[f32], layout: Layout, bias: &[f32], inputs: usize) -> Vec<f32> {
        let outputs = weight.len() / inputs;
        let at = |input: usize, output: usize| match layout {
            Layout::InputsByOutputs => weight[input * outputs + output],
            Layout::OutputsByInputs => weight[output * inputs + input],
        };
        let product = |x: &[f32], output| -> f64 {
            x.iter().enumerate().map(|(input, x)| f64::from(x * at(input, output))).sum()
        };
        let rows = x.chunks(inputs);
        rows.flat_map(|x| (0..outputs).map(move |o| product(x, o) as f32 + bias[o]).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn both_layouts_agree_with_the_plain_sum_at_odd_sizes() {
        for (rows, inputs, outputs) in
            [(1, 1, 1), (1, 37, 70), (1, 160, 33), (3, 20, 65), (70, 33, 130), (2, 64, 1000)]
        {
            let (x, weight, bias) = (numbers(rows * inputs), numbers(inputs * outputs), numbers(outputs));
            for layout in [Layout::InputsByOutputs, Layout::OutputsByInputs] {
                let expected = plain(&x, &weight, layout, &bias, inputs);
                assert_close(&linear(&x, &weight, layout, Some(&bias), inputs), &expected, 1e-4);
            }
        }
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let (x, weight) = (numbers(100), numbers(100 * 300));
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| linear(&x, &weight, Layout::InputsByOutputs, None, 100))
        };
        assert_eq!(with(1), with(3));
    }
}
