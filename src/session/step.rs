//! The steps of the rail.

use super::Session;

/// A step of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Step {
    Data,
    Backbone,
    Layers,
    Train,
    Evaluate,
    Try,
    Export,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    Warning,
    Open,
}

impl Step {
    /// Every step, from the top.
    pub const ALL: [Step; 7] =
        [Self::Data, Self::Backbone, Self::Layers, Self::Train, Self::Evaluate, Self::Try, Self::Export];

    /// As it stands on the rail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Backbone => "Backbone",
            Self::Layers => "Layers",
            Self::Train => "Train",
            Self::Evaluate => "Evaluate",
            Self::Try => "Try",
            Self::Export => "Export",
        }
    }

    /// What it is for.
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::Data => "Your samples, their classes and what is wrong with them",
            Self::Backbone => "The pretrained network that yours starts from",
            Self::Layers => "Which layers learn and which stay frozen",
            Self::Train => "Train and watch loss and accuracy",
            Self::Evaluate => "How good it is and where it errs",
            Self::Try => "Ask the model about new samples",
            Self::Export => "Write the trained head for use elsewhere",
        }
    }
}

impl Session {
    /// How far a step is, for its sign on the rail.
    pub fn step_state(&self, step: Step) -> StepState {
        let Some(project) = &self.project else { return StepState::Open };
        let done = match step {
            Step::Data if project.split.is_none() => return StepState::Warning,
            Step::Data => true,
            Step::Backbone => self.backbone().is_some(),
            Step::Layers => project.mask.is_some(),
            Step::Train => project.runs.iter().any(|r| r.state == crate::project::RunState::Finished),
            Step::Evaluate => self.evaluation().is_some(),
            Step::Try => self.tries.predictions.iter().any(|p| p.answer.is_some()),
            Step::Export => self.export_of_run().is_some(),
        };
        if done { StepState::Done } else { StepState::Open }
    }
}
