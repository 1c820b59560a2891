//! The window without a display: real session, real worker, bundled weights.

mod access;
mod flows;
mod harness;
mod hostile;
mod layout;
mod monkey;
mod raster;
mod recorded;
mod saving;
mod snapshots;
