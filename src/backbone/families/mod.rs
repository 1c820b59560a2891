//! One file a family, and one line in the list below. What several share stands beside them: `layers.rs` for leaf layers,
//! `config.rs` for configurations, `inverted_residual.rs` and `transformer.rs` for kinds of networks.

use super::family::Family;

mod config;
mod inverted_residual;
mod layers;
mod transformer;

/// Declares the file of each family, whose `FAMILIES` are asked in this order. `cargo fmt` does not see files that a
/// macro declares; `check.sh` names them to rustfmt.
macro_rules! families {
    ($($file:ident,)*) => {
        $(mod $file;)*

        /// All families, file by file.
        pub const ALL: &[&[Family]] = &[$($file::FAMILIES),*];
    };
}

families! {
    efficientnet,
    mobilenet_v3,
    resnet,
    bert,
}
