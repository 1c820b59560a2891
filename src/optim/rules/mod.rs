//! All update rules. A new one is a file here and a line in [`RULES`].

use super::rule::Rule;

list! {
    /// In the order in which they are offered; the first is what a recipe that names none gets.
    RULES: Rule {
        adamw::AdamW,
        sgd::Sgd,
    }
}
