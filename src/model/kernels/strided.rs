//! Products of small matrices that lie somewhere in a slice, on one thread: what attention is made of.

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

    fn is_inside(&self) -> bool {
        let last = (self.rows.max(1) - 1) * self.row_stride + (self.columns.max(1) - 1) * self.column_stride;
        last < self.values.len()
    }
}

/// c = a · b, with `c_stride` from row to row of c.
pub fn multiply(a: Matrix, b: Matrix, c: &mut [f32], c_stride: usize) {
    assert_eq!(a.columns, b.rows);
    assert!(a.is_inside() && b.is_inside());
    assert!(a.rows > 0 && b.columns <= c_stride && (a.rows - 1) * c_stride + b.columns <= c.len());
    // SAFETY: a, b and c were just checked to lie inside their slices, and c is borrowed exclusively.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            c.as_mut_ptr(),
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
