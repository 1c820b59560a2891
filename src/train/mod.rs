//! The data path of a training run, bottom to top: [`trunk`] runs the frozen ground once,
//! [`cache`] keeps what it gave, [`top`] is what learns, [`fit`] is the loop.

pub mod batches;
pub mod cache;
pub mod cached;
pub mod checkpoint;
pub mod estimate;
pub mod features;
pub mod fit;
pub mod leftovers;
mod memory;
pub mod optimiser;
pub mod room;
pub mod top;
pub mod trunk;
mod workload;
