//! The window without a display: real session, real worker, bundled weights.

mod flows;
mod harness;
