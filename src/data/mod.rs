//! Files on disk -> labelled samples -> tensors.
//!
//! The path of the data through this folder:
//!
//! 1. [`scan::scan`] walks a folder or reads a table and recognises how it is laid out. Every file
//!    is read once: digested, checked, labelled. The result is a [`DatasetIndex`]: items, classes
//!    and [`Finding`]s. What is broken becomes a finding, and the rest goes on.
//! 2. [`Split::new`] decides which items are trained on, validated on and kept for the end. It
//!    depends on the seed and the contents alone, and keeps equal contents together.
//! 3. An image goes through [`image::decode`] (any format to upright RGB) and
//!    [`ImageSpec::apply`] (resize, crop, normalise: `[3, size, size]`), a text through
//!    [`TextTokenizer::encode`] (token numbers).
//!
//! What a sample is, its modality, is a folder of its own here ([`image`], [`text`]) with a line
//! in the list below; all but four places know no more of it than its [`facts`].
//!
//! Tensors are plain `Vec<f32>` here; nothing in this folder knows Candle. No file of the user is
//! ever written.

mod checked;
mod digest;
pub mod facts;
mod finding;
#[cfg(test)]
mod goldens;
pub mod index;
pub(crate) mod label_columns;
mod layout;
pub mod modality;
pub mod numbers;
mod part;
pub mod preview;
pub mod scan;
pub mod split;
pub mod target;
mod words;

modality::modalities! {
    // The order counts where a file could be of two kinds.
    image: Image,
    text: Text,
}

pub use self::image::preprocess;
pub use index::{DatasetIndex, Digest, Finding, FindingKind, Item, Layout, Part};
pub use numbers::{Histogram, NumberSummary};
pub use preprocess::{ImageSpec, ResizeFilter};
pub use scan::{ScanError, ScanOptions, scan};
pub use split::{Split, SplitError, SplitSpec};
pub use target::{Target, TargetForm, TargetKind};
pub use text::{TextError, TextSpec, TextTokenizer};
