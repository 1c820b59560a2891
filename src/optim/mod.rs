//! Optimisers without their tensors: how a gradient moves a weight (an update rule), and how fast over a run (a
//! schedule). Each rule is a file in [`rules`], each schedule a file in [`schedules`], and one line in the list there;
//! recipes, checkpoints, the form and the command line know them through these lists. The tensors that are trained,
//! with what a rule remembers of each, are those of `train::optimiser`.

/// `file::Type` lines become modules of files beside the list and the list itself. `cargo fmt` does not see these
/// modules; `check.sh` has every file formatted by name.
macro_rules! list {
    ($(#[$about:meta])* $LIST:ident: $Trait:ident { $($file:ident::$One:ident,)* }) => {
        $(mod $file;
        pub use $file::$One;)*

        $(#[$about])*
        pub static $LIST: &[&dyn $Trait] = &[$(&$One),*];
    };
}

pub mod choice;
pub mod rule;
pub mod rules;
pub mod schedule;
pub mod schedules;

pub use choice::{Choice, Listed, OptimiserChoice, ScheduleChoice};
pub use rule::{Extra, Hyper, Named, Rule, Scale};
pub use rules::{AdamW, Sgd};
pub use schedule::{Course, Schedule};
pub use schedules::Cosine;
