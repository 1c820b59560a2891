//! The window without a display: real session, real worker, bundled weights.

mod flows;
mod harness;
mod layout;
mod raster;
mod recorded;
mod snapshots;
