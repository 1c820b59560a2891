//! Matrix products on checked views, through the `gemm` crate.

use std::marker::PhantomData;

/// `c = alpha * a b`, or `c += alpha * a b`. Sums run in an order that depends on shapes and the
/// number of threads alone.
pub fn product(a: Mat, b: Mat, c: MatMut, alpha: f32, update: Update, threads: Threads) {
    assert_eq!(a.columns, b.rows, "inner sizes of a product");
    assert_eq!((a.rows, b.columns), (c.rows, c.columns), "size of a product");
    let parallelism = match (threads, rayon::current_num_threads()) {
        (Threads::One, _) | (_, 1) => gemm::Parallelism::None,
        (Threads::Pool, n) => gemm::Parallelism::Rayon(n),
    };
    // SAFETY: a view can only be made when its last element lies inside the slice it borrows, so every
    // address that the product forms from these sizes and strides is valid; `c` is borrowed mutably
    // and overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            c.data,
            1,
            c.row_stride as isize,
            matches!(update, Update::Add),
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Whether a product replaces what stands in its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    Overwrite,
    Add,
}

/// Who computes a product: all threads of the current pool, or the caller, which is one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    Pool,
    One,
}

/// A matrix that is read.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Mat<'a> {
    /// Rows one after another.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows that begin `row_stride` elements apart.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(extent(rows, columns, row_stride) <= data.len(), "matrix out of its slice");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transpose: the same elements, read the other way round.
    pub fn t(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A matrix that is written; elements of a row lie side by side.
pub struct MatMut<'a> {
    data: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `MatMut` stands for an exclusive borrow of its elements, which are plain numbers; views
// made by `split_columns` share none.
unsafe impl Send for MatMut<'_> {}

impl<'a> MatMut<'a> {
    /// Rows one after another.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows that begin `row_stride` elements apart.
    pub fn strided(data: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(columns <= row_stride, "rows of a written matrix must not overlap");
        assert!(extent(rows, columns, row_stride) <= data.len(), "matrix out of its slice");
        Self { data: data.as_mut_ptr(), rows, columns, row_stride, borrow: PhantomData }
    }

    /// Blocks of `width` columns, left to right.
    pub fn split_columns(self, width: usize) -> Vec<MatMut<'a>> {
        assert!(width > 0 && self.columns.is_multiple_of(width), "columns do not part evenly");
        (0..self.columns / width)
            .map(|i| MatMut {
                // SAFETY: block `i` begins at column `i * width` of the first row, inside the
                // borrowed slice; blocks have no column in common, and `self` is consumed.
                data: unsafe { self.data.add(i * width) },
                rows: self.rows,
                columns: width,
                row_stride: self.row_stride,
                borrow: PhantomData,
            })
            .collect()
    }
}

/// One past the last element of a matrix, counted from its first.
fn extent(rows: usize, columns: usize, row_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_near, noise};
    use super::*;

    fn check(m: usize, k: usize, n: usize) {
        let (a, b) = (noise(m * k, 1), noise(k * n, 2));
        let mut expected = vec![0f32; m * n];
        for i in 0..m {
            for j in 0..n {
                expected[i * n + j] = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
            }
        }
        let mut c = vec![7f32; m * n];
        for threads in [Threads::Pool, Threads::One] {
            let (a, b) = (Mat::new(&a, m, k), Mat::new(&b, k, n));
            product(a, b, MatMut::new(&mut c, m, n), 1.0, Update::Overwrite, threads);
            assert_near(&c, &expected, 1e-5, "product");
        }
        product(
            Mat::new(&a, m, k),
            Mat::new(&b, k, n),
            MatMut::new(&mut c, m, n),
            -1.0,
            Update::Add,
            Threads::One,
        );
        assert!(c.iter().all(|v| v.abs() < 1e-4));
    }

    #[test]
    fn products_of_odd_sizes() {
        for (m, k, n) in [(1, 1, 1), (1, 9, 4), (3, 5, 7), (17, 33, 9), (64, 27, 32)] {
            check(m, k, n);
        }
    }

    #[test]
    fn transposes_and_column_blocks() {
        // Two blocks of two columns each, from the transpose of a [3, 2] matrix.
        let a = [1., 2., 3., 4., 5., 6.];
        let b = [1., 0., 0., 1., 1., 1.];
        let mut c = [0f32; 8];
        let blocks = MatMut::new(&mut c, 2, 4).split_columns(2);
        assert_eq!(blocks.len(), 2);
        for block in blocks {
            let (a, b) = (Mat::new(&a, 3, 2).t(), Mat::new(&b, 3, 2));
            product(a, b, block, 1.0, Update::Overwrite, Threads::One);
        }
        assert_eq!(c, [6., 8., 6., 8., 8., 10., 8., 10.]);
    }

    #[test]
    #[should_panic(expected = "matrix out of its slice")]
    fn a_view_past_its_slice_is_refused() {
        Mat::new(&[0.0; 5], 2, 3);
    }
}
