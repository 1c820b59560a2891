//! Lookup of rows in a table.

use super::op::{Target, floats, is_fast, output, read};
use super::param::{Param, Slot};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

/// A table of vectors, one a row. The gradient is sparse: only rows that were looked up have one.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// `[rows, dim]`
    pub table: Param,
}

impl Embedding {
    /// The rows of `ids`: `[ids.len(), dim]`. Gradients of a row that is looked up more than once add up.
    ///
    /// # Errors
    /// An id past the last row, and those of Candle.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let table = self.table.tensor();
        let (rows, dim) = table.dims2()?;
        if let Some(id) = ids.iter().find(|id| **id as usize >= rows) {
            bail!("id {id} was looked up in a table of {rows} rows: the tokenizer and the weights do not belong together")
        }
        if !is_fast(table) {
            return self.forward_composed(ids);
        }
        let op = EmbeddingOp { ids: ids.to_vec(), dim, slot: self.table.slot() };
        self.table.contiguous()?.apply_op1(op)
    }

    pub(super) fn forward_composed(&self, ids: &[u32]) -> Result<Tensor> {
        let table = self.table.tensor();
        table.index_select(&Tensor::new(ids, table.device())?, 0)
    }
}

struct EmbeddingOp {
    ids: Vec<u32>,
    dim: usize,
    slot: Option<Slot>,
}

impl EmbeddingOp {
    /// Calls `add(id, gradient of one lookup)`, ids ascending, lookups of one id in their order.
    fn each_lookup(&self, dy: &[f32], mut add: impl FnMut(u32, &[f32])) {
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_by_key(|i| self.ids[*i]);
        for i in order {
            add(self.ids[i], &dy[i * self.dim..(i + 1) * self.dim]);
        }
    }
}

impl CustomOp1 for EmbeddingOp {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let table = floats(table, layout)?;
        let mut rows = Vec::with_capacity(self.ids.len() * self.dim);
        for id in &self.ids {
            let start = *id as usize * self.dim;
            rows.extend_from_slice(&table[start..start + self.dim]);
        }
        output(rows, (self.ids.len(), self.dim))
    }

    fn bwd(&self, table: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dim = self.dim;
        read(&dy.contiguous()?, |dy| match Target::of(table, &self.slot) {
            Target::Slot(slot) => {
                slot.write_rows(|ids, values| {
                    self.each_lookup(dy, |id, row| {
                        if ids.last() == Some(&id) {
                            let start = values.len() - dim;
                            add(&mut values[start..], row);
                        } else {
                            ids.push(id);
                            values.extend_from_slice(row);
                        }
                    });
                })?;
                Ok(None)
            }
            dense => dense.write(|out| {
                self.each_lookup(dy, |id, row| {
                    let start = id as usize * dim;
                    add(&mut out[start..start + dim], row);
                });
                Ok(())
            }),
        })
    }
}

fn add(total: &mut [f32], row: &[f32]) {
    for (t, r) in total.iter_mut().zip(row) {
        *t += r;
    }
}
