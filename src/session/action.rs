//! Everything that a user can do: the panels, the menu, the shortcuts and the palette emit it. One file a group; in it
//! stand the group's actions, their words and keys, why one cannot be done, and what it does. All of these are matches
//! without a catch-all, so that an action that lacks one of them does not compile.

use super::{Effect, Session};

/// Declares a group of actions. What follows an action's arrow says whether the palette offers it, and gives examples of
/// it with arguments as a user may choose them: they stand in the palette, and shortcuts are bound to them.
macro_rules! group {
    (
        $(#[$doc:meta])*
        $group:ident {$(
            $(#[$about:meta])*
            $name:ident $(($($part:ty),+))? $({$($field:ident: $kind:ty),+ $(,)?})?
                => $offer:ident [$($example:expr),+ $(,)?],
        )+}
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $group {$(
            $(#[$about])*
            $name $(($($part),+))? $({$($field: $kind),+})?,
        )+}

        impl $group {
            /// Examples of every action, and whether the palette offers them.
            pub fn examples() -> Vec<(crate::session::action::Action, crate::session::action::Palette)> {
                vec![$($((
                    crate::session::action::Action::from($example),
                    crate::session::action::Palette::$offer,
                ),)+)+]
            }

            /// How it is shown.
            pub fn label(&self) -> crate::session::action::Label {
                let (text, tooltip) = self.words();
                crate::session::action::Label { text, tooltip, shortcut: self.keys().first().copied() }
            }
        }
    };
}

pub mod edit;
pub mod job;
pub mod model;
pub mod open;
pub mod view;

pub use edit::{Edit, Preset};
pub use job::Job;
pub use model::{LocalChoice, Model};
pub use open::{Open, SampleName};
pub use view::{ThemeChoice, View};

/// One thing that the user asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Open(Open),
    Job(Job),
    Model(Model),
    Edit(Edit),
    View(View),
}

/// Whether the palette offers an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    Offered,
    Hidden,
}

/// How an action is shown: in menus, tooltips and the palette.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub text: String,
    /// Plain words, with the field's own term.
    pub tooltip: &'static str,
    /// As people write it: `Ctrl+Z`.
    pub shortcut: Option<&'static str>,
}

impl Action {
    /// Every action with arguments as a user may choose them, and whether the palette offers it.
    pub fn examples() -> Vec<(Action, Palette)> {
        [Open::examples(), Job::examples(), Model::examples(), Edit::examples(), View::examples()].concat()
    }

    /// Actions that the palette offers, whatever is selected.
    pub fn palette() -> Vec<Action> {
        let offered = Self::examples().into_iter().filter(|(_, palette)| *palette == Palette::Offered);
        offered.map(|(action, _)| action).collect()
    }

    /// How it is shown.
    pub fn label(&self) -> Label {
        match self {
            Self::Open(action) => action.label(),
            Self::Job(action) => action.label(),
            Self::Model(action) => action.label(),
            Self::Edit(action) => action.label(),
            Self::View(action) => action.label(),
        }
    }

    /// The keys that do it, as people write them; the first are shown. Where the same keys do several actions, they do
    /// the one that can be done.
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Open(action) => action.keys(),
            Self::Job(action) => action.keys(),
            Self::Model(action) => action.keys(),
            Self::Edit(action) => action.keys(),
            Self::View(action) => action.keys(),
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        match self {
            Self::Open(action) => action.why_not(session),
            Self::Job(action) => action.why_not(session),
            Self::Model(action) => action.why_not(session),
            Self::Edit(action) => action.why_not(session),
            Self::View(action) => action.why_not(session),
        }
    }

    pub(super) fn apply(self, session: &mut Session) -> Vec<Effect> {
        match self {
            Self::Open(action) => action.apply(session),
            Self::Job(action) => action.apply(session),
            Self::Model(action) => action.apply(session),
            Self::Edit(action) => action.apply(session),
            Self::View(action) => action.apply(session),
        }
    }
}

impl From<Open> for Action {
    fn from(action: Open) -> Self {
        Self::Open(action)
    }
}

impl From<Job> for Action {
    fn from(action: Job) -> Self {
        Self::Job(action)
    }
}

impl From<Model> for Action {
    fn from(action: Model) -> Self {
        Self::Model(action)
    }
}

impl From<Edit> for Action {
    fn from(action: Edit) -> Self {
        Self::Edit(action)
    }
}

impl From<View> for Action {
    fn from(action: View) -> Self {
        Self::View(action)
    }
}

/// Why what needs a project cannot be done.
fn needs_project(session: &Session) -> Option<&'static str> {
    session.project.is_none().then_some("Open data first.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Step;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_has_words() {
        for (action, _) in Action::examples() {
            let label = action.label();
            assert!(!label.text.trim().is_empty() && !label.tooltip.trim().is_empty(), "{action:?}");
            assert!(label.text.starts_with(|c: char| c.is_uppercase()), "{action:?}: {}", label.text);
        }
    }

    #[test]
    fn the_palette_begins_with_the_steps_and_repeats_nothing() {
        let palette = Action::palette();
        let steps: Vec<Action> = Step::ALL.into_iter().map(|step| Open::Go(step).into()).collect();
        assert_eq!(palette[..steps.len()], steps);
        let texts: Vec<String> = palette.iter().map(|action| action.label().text).collect();
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len(), "{texts:?}");
        assert!(palette.contains(&Edit::Preset(Preset::NormsOnly).into()));
        assert!(!palette.contains(&View::DismissToast(0).into()));
    }
}
