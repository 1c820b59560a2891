//! All schedules. A new one is a file here and a line in [`SCHEDULES`].

use super::schedule::Schedule;

list! {
    /// In the order in which they are offered; the first is what a recipe that names none gets.
    SCHEDULES: Schedule {
        cosine::Cosine,
    }
}
