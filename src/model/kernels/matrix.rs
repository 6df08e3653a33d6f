//! y = xW + b: one row of x at the speed of memory, many rows at the speed of arithmetic.

use pulp::Simd;
use rayon::prelude::*;

use super::vector::dot;

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
    let partial: Vec<Vec<f32>> = x
        .par_chunks(rows)
        .zip(weight.par_chunks(rows * outputs))
        .map(|(x, rows)| {
            let mut y = vec![0.0; outputs];
            add_scaled_rows(x, rows, &mut y);
            y
        })
        .collect();
    let mut y = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
    for part in partial {
        y.iter_mut().zip(part).for_each(|(y, part)| *y += part);
    }
    y
}

/// A fixed number, so that the sum is the same on every machine; more than the threads of most, so that a busy
/// core does not hold up the others for long.
const PARTS: usize = 16;

/// y += Σᵢ xᵢ · row i, four rows at a time.
#[pulp::with_simd(add_scaled_rows = pulp::Arch::new())]
#[inline(always)]
fn add_scaled_rows_with_simd<S: Simd>(simd: S, x: &[f32], rows: &[f32], y: &mut [f32]) {
    let outputs = y.len();
    let (y_body, y_tail) = S::as_mut_simd_f32s(y);
    let (x_fours, x_rest) = x.as_chunks::<4>();
    let (fours, rest) = rows.split_at(x_fours.len() * 4 * outputs);
    for (x, rows) in x_fours.iter().zip(fours.chunks_exact(4 * outputs)) {
        let factors = x.map(|x| simd.splat_f32s(x));
        let rows: [_; 4] = std::array::from_fn(|i| S::as_simd_f32s(&rows[i * outputs..][..outputs]));
        let [(a, _), (b, _), (c, _), (d, _)] = rows;
        for ((((y, a), b), c), d) in y_body.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let left = simd.mul_add_e_f32s(factors[0], *a, *y);
            let right = simd.mul_f32s(factors[1], *b);
            let left = simd.mul_add_e_f32s(factors[2], *c, left);
            let right = simd.mul_add_e_f32s(factors[3], *d, right);
            *y = simd.add_f32s(left, right);
        }
        for (x, (_, tail)) in x.iter().zip(rows) {
            y_tail.iter_mut().zip(tail).for_each(|(y, w)| *y += x * w);
        }
    }
    for (x, row) in x_rest.iter().zip(rest.chunks_exact(outputs)) {
        let (body, tail) = S::as_simd_f32s(row);
        let factor = simd.splat_f32s(*x);
        y_body.iter_mut().zip(body).for_each(|(y, w)| *y = simd.mul_add_e_f32s(factor, *w, *y));
        y_tail.iter_mut().zip(tail).for_each(|(y, w)| *y += x * w);
    }
}

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

#[pulp::with_simd(dot_rows = pulp::Arch::new())]
#[inline(always)]
fn dot_rows_with_simd<S: Simd>(simd: S, x: &[f32], rows: &[f32], y: &mut [f32]) {
    for (y, row) in y.iter_mut().zip(rows.chunks_exact(x.len())) {
        *y = dot(simd, x, row);
    }
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
    use crate::model::kernels::testing::{assert_close, numbers, on_every_instruction_set};

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
    fn one_row_agrees_under_every_instruction_set() {
        let (inputs, outputs) = (39, 83);
        let (x, weight) = (numbers(inputs), numbers(inputs * outputs));
        let none = vec![0.0; outputs];
        on_every_instruction_set!(|simd| {
            let mut y = none.clone();
            add_scaled_rows_with_simd(simd, &x, &weight, &mut y);
            assert_close(&y, &plain(&x, &weight, Layout::InputsByOutputs, &none, inputs), 1e-5);
            dot_rows_with_simd(simd, &x, &weight, &mut y);
            assert_close(&y, &plain(&x, &weight, Layout::OutputsByInputs, &none, inputs), 1e-5);
        });
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
