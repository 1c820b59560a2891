//! Lookup of rows in a table.

use super::op::{Argument, Custom, Input, Op, Target, is_fast};
use super::param::{Param, Slot};
use candle_core::{Result, Shape, Tensor, bail};

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
            bail!(
                "id {id} was looked up in a table of {rows} rows: the tokenizer and the weights do not belong together"
            )
        }
        if !is_fast(table) {
            return self.forward_composed(ids);
        }
        let op = EmbeddingOp { ids: ids.to_vec(), dim, slot: self.table.slot() };
        self.table.contiguous()?.apply_op1(Custom(op))
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

impl Op<1> for EmbeddingOp {
    const NAME: &'static str = "embedding";

    fn forward(&self, [table]: [Input; 1]) -> Result<(Vec<f32>, Shape)> {
        let mut rows = Vec::with_capacity(self.ids.len() * self.dim);
        for id in &self.ids {
            let start = *id as usize * self.dim;
            rows.extend_from_slice(&table.values[start..start + self.dim]);
        }
        Ok((rows, (self.ids.len(), self.dim).into()))
    }

    fn backward(&self, [table]: [Argument; 1], _: Argument, dy: Argument) -> Result<[Option<Tensor>; 1]> {
        let dim = self.dim;
        let gradient = match table.parameter(&self.slot) {
            Target::Slot(slot) => {
                slot.write_rows(|ids, values| {
                    self.each_lookup(dy.values, |id, row| {
                        if ids.last() == Some(&id) {
                            let start = values.len() - dim;
                            add(&mut values[start..], row);
                        } else {
                            ids.push(id);
                            values.extend_from_slice(row);
                        }
                    });
                })?;
                None
            }
            dense => dense.write(|out| {
                self.each_lookup(dy.values, |id, row| {
                    let start = id as usize * dim;
                    add(&mut out[start..start + dim], row);
                });
            })?,
        };
        Ok([gradient])
    }
}

fn add(total: &mut [f32], row: &[f32]) {
    for (t, r) in total.iter_mut().zip(row) {
        *t += r;
    }
}

#[cfg(test)]
mod tests {
    use super::super::param::Gradient;
    use super::super::testing::{assert_agree, assert_freezing, values, var};
    use super::*;

    fn trainable(table: &candle_core::Var, slot: Option<Slot>) -> Embedding {
        Embedding { table: Param::trainable(table, slot) }
    }

    #[test]
    fn paths_agree_where_ids_repeat() {
        let table = var((7, 5), 1);
        let layer = trainable(&table, None);
        let ids = [3, 0, 3, 6, 3, 0];
        assert_agree("embedding", &[&table], || layer.forward(&ids), || layer.forward_composed(&ids));
    }

    #[test]
    fn the_gradient_in_a_slot_has_each_row_once_in_order() {
        let table = var((7, 2), 1);
        let slot = Slot::new(14);
        let y = trainable(&table, Some(slot.clone())).forward(&[5, 1, 5]).unwrap();
        let weights = Tensor::new(&[[1f32, 2.], [10., 20.], [100., 200.]], y.device()).unwrap();
        let store = (y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(store.get(&table).is_none());
        let rows = slot.with_gradient(|g| Ok(g.clone())).unwrap();
        let expected = Gradient::Rows { ids: vec![1, 5], values: vec![10., 20., 101., 202.] };
        assert_eq!(rows, expected);
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        // The input of the harness is added, since ids carry no gradient.
        let (x, table) = (var((3, 4), 1), var((6, 4), 2));
        assert_freezing("embedding", &x, &[&table], |x, params| {
            Embedding { table: params[0].clone() }.forward(&[5, 2, 5])? + x
        });
    }

    #[test]
    fn rows_come_in_the_order_of_the_ids_and_unknown_ids_are_errors() {
        let table = var((3, 2), 1);
        let all = values(&table);
        let layer = trainable(&table, None);
        assert_eq!(values(&layer.forward(&[2, 0]).unwrap()), [&all[4..6], &all[0..2]].concat());
        let error = layer.forward(&[1, 3]).unwrap_err().to_string();
        assert!(error.contains("id 3") && error.contains("3 rows"), "{error}");
        assert_eq!(layer.forward(&[]).unwrap().dims(), [0, 2]);
    }
}
