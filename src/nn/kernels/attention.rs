//! Attention inside each sequence of a packed batch, one task per (sequence, head).

use super::dropout::Dropout;
use super::dropout::dropout_from;
use super::math::{dot, softmax_row};
use super::matrix::{Mat, MatMut, Threads, Update, product};
use super::{Level, multiversion};
use rayon::prelude::*;

/// How a packed batch of queries, keys or values parts: `[tokens, heads * size]`, sequences one after
/// another.
#[derive(Clone, Debug)]
pub struct Batch {
    pub lengths: Vec<usize>,
    pub heads: usize,
    /// Features of one head.
    pub size: usize,
    pub dropout: Dropout,
}

impl Batch {
    /// Tokens of all sequences together.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn width(&self) -> usize {
        self.heads * self.size
    }

    /// Elements of all probability matrices: for each sequence and head one of `[length, length]`.
    pub fn probabilities(&self) -> usize {
        self.lengths.iter().map(|l| l * l * self.heads).sum()
    }

    fn scale(&self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// Tasks in the order of the batch: sequence, then head.
    fn tasks(&self) -> Vec<Task> {
        let (mut start, mut probabilities) = (0, 0);
        let mut tasks = Vec::with_capacity(self.lengths.len() * self.heads);
        for &length in &self.lengths {
            for head in 0..self.heads {
                let first = start * self.width() + head * self.size;
                tasks.push(Task { length, first, probabilities });
                probabilities += length * length;
            }
            start += length;
        }
        tasks
    }

    /// The block of each task in a packed batch that is read.
    fn block<'a>(&self, x: &'a [f32], task: Task) -> Mat<'a> {
        Mat::strided(&x[task.first..], task.length, self.size, self.width())
    }

    /// The blocks of all tasks in a packed batch that is written.
    fn blocks_mut<'a>(&self, mut x: &'a mut [f32]) -> Vec<MatMut<'a>> {
        let mut blocks = Vec::with_capacity(self.lengths.len() * self.heads);
        for &length in &self.lengths {
            let (sequence, rest) = x.split_at_mut(length * self.width());
            x = rest;
            blocks.extend(MatMut::new(sequence, length, self.width()).split_columns(self.size));
        }
        blocks
    }

    /// The probability matrices of all tasks.
    fn probabilities_mut<'a>(&self, mut p: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let mut matrices = Vec::with_capacity(self.lengths.len() * self.heads);
        for &length in &self.lengths {
            for _ in 0..self.heads {
                let (matrix, rest) = p.split_at_mut(length * length);
                p = rest;
                matrices.push(matrix);
            }
        }
        matrices
    }
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Task {
    length: usize,
    /// Where its block begins in a packed batch.
    first: usize,
    /// Where its matrix begins among all probabilities.
    probabilities: usize,
}

#[inline(always)]
fn softmax_body<const FMA: bool>(x: &mut [f32], n: usize) {
    for row in x.chunks_exact_mut(n) {
        softmax_row::<FMA>(row);
    }
}
multiversion! {
    /// Replaces rows of `n` by their softmax, in the calling thread.
    pub fn softmax_rows = softmax_body(x: &mut [f32], n: usize);
}

/// `gradient = p * (gradient - sum(p * gradient))` for each row: back through the softmax.
#[inline(always)]
fn softmax_backward_body<const FMA: bool>(p: &[f32], gradient: &mut [f32], n: usize) {
    for (p, g) in p.chunks_exact(n).zip(gradient.chunks_exact_mut(n)) {
        let total = dot::<FMA>(p, g);
        for (g, p) in g.iter_mut().zip(p) {
            *g = p * (*g - total);
        }
    }
}
multiversion! { fn softmax_backward_rows = softmax_backward_body(p: &[f32], gradient: &mut [f32], n: usize); }

/// Products of one head run in the thread of its task.
fn one(a: Mat, b: Mat, c: MatMut, alpha: f32) {
    product(a, b, c, alpha, Update::Overwrite, Threads::One);
}

/// `out = dropout(softmax(q k^T / sqrt(size))) v`; the probabilities before dropout go to `kept`
/// where a backward pass will want them.
pub fn forward(
    level: Level,
    batch: &Batch,
    [q, k, v]: [&[f32]; 3],
    out: &mut [f32],
    kept: Option<&mut [f32]>,
) {
    let len = batch.tokens() * batch.width();
    assert!([q.len(), k.len(), v.len(), out.len()] == [len; 4], "attention");
    let kept: Vec<Option<&mut [f32]>> = match kept {
        Some(kept) => {
            assert_eq!(kept.len(), batch.probabilities(), "attention probabilities");
            batch.probabilities_mut(kept).into_iter().map(Some).collect()
        }
        None => (0..batch.lengths.len() * batch.heads).map(|_| None).collect(),
    };
    let tasks = batch.tasks().into_iter().zip(batch.blocks_mut(out)).zip(kept);
    let tasks: Vec<_> = tasks.collect();
    tasks.into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(own, dropped), ((task, out), kept)| {
            let t = task.length;
            let p = kept.unwrap_or_else(|| scratch(own, t * t));
            one(batch.block(q, task), batch.block(k, task).t(), MatMut::new(p, t, t), batch.scale());
            softmax_rows(level, p, t);
            let p = if batch.dropout.is_none() {
                &*p
            } else {
                let dropped = scratch(dropped, t * t);
                dropout_from(level, batch.dropout, task.probabilities as u64, p, dropped);
                dropped
            };
            one(Mat::new(p, t, t), batch.block(v, task), out, 1.0);
        },
    );
}

/// The gradients of queries, keys and values; each is overwritten.
pub fn backward(
    level: Level,
    batch: &Batch,
    [q, k, v]: [&[f32]; 3],
    probabilities: &[f32],
    d_out: &[f32],
    [dq, dk, dv]: [&mut [f32]; 3],
) {
    let len = batch.tokens() * batch.width();
    assert!([q.len(), k.len(), v.len(), d_out.len()] == [len; 4], "attention gradient");
    assert!([dq.len(), dk.len(), dv.len()] == [len; 3], "attention gradient");
    assert_eq!(probabilities.len(), batch.probabilities(), "attention probabilities");
    let blocks = batch.blocks_mut(dq).into_iter().zip(batch.blocks_mut(dk)).zip(batch.blocks_mut(dv));
    let tasks: Vec<_> = batch.tasks().into_iter().zip(blocks).collect();
    tasks.into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(gradient, dropped), (task, ((dq, dk), dv))| {
            let t = task.length;
            let start = task.probabilities;
            let p = &probabilities[start..start + t * t];
            let (gradient, dropped) = (scratch(gradient, t * t), scratch(dropped, t * t));
            let d_out = batch.block(d_out, task);
            if batch.dropout.is_none() {
                one(Mat::new(p, t, t).t(), d_out, dv, 1.0);
                one(d_out, batch.block(v, task).t(), MatMut::new(gradient, t, t), 1.0);
            } else {
                dropout_from(level, batch.dropout, start as u64, p, dropped);
                one(Mat::new(dropped, t, t).t(), d_out, dv, 1.0);
                one(d_out, batch.block(v, task).t(), MatMut::new(dropped, t, t), 1.0);
                dropout_from(level, batch.dropout, start as u64, dropped, gradient);
            }
            softmax_backward_rows(level, p, gradient, t);
            let gradient = Mat::new(gradient, t, t);
            one(gradient, batch.block(k, task), dq, batch.scale());
            one(gradient.t(), batch.block(q, task), dk, batch.scale());
        },
    );
}

/// The first `len` elements of a buffer that is kept from task to task.
fn scratch(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_levels_agree, noise};
    use super::*;

    #[test]
    fn levels_agree() {
        let batch = Batch {
            lengths: vec![1, 5, 19],
            heads: 2,
            size: 3,
            dropout: Dropout { probability: 0.2, key: 3 },
        };
        let len = 25 * 6;
        let (q, k, v) = (noise(len, 1), noise(len, 2), noise(len, 3));
        assert_levels_agree("attention", |level| {
            let (mut out, mut p) = (vec![0f32; len], vec![0f32; batch.probabilities()]);
            forward(level, &batch, [&q, &k, &v], &mut out, Some(&mut p));
            let (mut dq, mut dk, mut dv) = (out.clone(), out.clone(), out.clone());
            let into = [&mut dq[..], &mut dk[..], &mut dv[..]];
            backward(level, &batch, [&q, &k, &v], &p, &noise(len, 4), into);
            [out, dq, dk, dv].concat()
        });
    }
}
