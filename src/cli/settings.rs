//! The options of `frostline new` that set something in the recipe, made from the table of settings.

use crate::project::settings::{Kind, ON_OFF, SETTINGS, Setting, Standard, Unit, Value};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

/// What was set, in the order of the table.
#[derive(Clone, Default)]
pub struct SettingArgs(pub Vec<(&'static Setting, Value)>);

/// The settings that have an option, each option once.
fn offered() -> impl Iterator<Item = &'static Setting> {
    let is_first = |n: usize, option: &str| !SETTINGS.iter().take(n).any(|before| before.option == option);
    let all = SETTINGS.iter().enumerate();
    all.filter(move |(n, setting)| setting.is_offered() && is_first(*n, setting.option)).map(|(_, s)| s)
}

fn option(setting: &'static Setting) -> Arg {
    let help = match setting.default {
        Standard::Always(value) => format!("{} [default: {}]", setting.help, value()),
        Standard::Suited(_) => setting.help.to_string(),
    };
    let arg = Arg::new(setting.option).long(setting.option).help(help).value_name(value_name(setting));
    match setting.kind {
        Kind::Integer { .. } => arg.value_parser(value_parser!(u64)),
        Kind::Real { .. } => arg.value_parser(value_parser!(f64)),
        Kind::Choice { offers, .. } => {
            let value = |offer: &crate::project::settings::Offer| {
                let value = PossibleValue::new(offer.key);
                match offer.remark {
                    Some(remark) => value.help(remark),
                    None => value,
                }
            };
            arg.value_parser(PossibleValuesParser::new(offers().iter().map(value)))
        }
        Kind::Switch { .. } => arg.value_parser(PossibleValuesParser::new(ON_OFF)),
    }
}

/// The letter that stands for a value: N for whole numbers, F for fractions, X for other numbers, else that of the name.
fn value_name(setting: &Setting) -> &'static str {
    match (setting.kind, setting.unit) {
        (Kind::Integer { .. }, _) => "N",
        (Kind::Real { .. }, Unit::Share) => "F",
        (Kind::Real { .. }, Unit::Plain | Unit::Passes | Unit::Samples | Unit::LearningRates) => "X",
        (Kind::Choice { .. } | Kind::Switch { .. }, _) => setting.words.get(..1).unwrap_or("V"),
    }
}

/// What the option says, if it was given.
fn given(setting: &Setting, matches: &ArgMatches) -> Option<Value> {
    let word = || matches.get_one::<String>(setting.option);
    match setting.kind {
        Kind::Integer { .. } => matches.get_one(setting.option).copied().map(Value::Integer),
        Kind::Real { .. } => matches.get_one(setting.option).copied().map(Value::Real),
        Kind::Choice { offers, .. } => {
            let key = word()?;
            offers().iter().find(|offer| offer.key == *key).map(|offer| Value::Choice(offer.key))
        }
        Kind::Switch { .. } => word().map(|word| Value::Switch(word == ON_OFF[0])),
    }
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        command.args(offered().map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let all = SETTINGS.iter().filter(|setting| setting.is_offered());
        Ok(Self(all.filter_map(|setting| Some((setting, given(setting, matches)?))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Vec<(&'static str, Value)> {
        let command = SettingArgs::augment_args(Command::new("new"));
        let matches = command.try_get_matches_from([&["new"], arguments].concat()).unwrap();
        let given = SettingArgs::from_arg_matches(&matches).unwrap().0;
        given.into_iter().map(|(setting, value)| (setting.key, value)).collect()
    }

    #[test]
    fn options_reach_the_settings_that_they_name() {
        assert!(parse(&[]).is_empty());
        let all = parse(&["--warmup", "0.2", "--cache", "off", "--optimiser", "sgd", "--epochs", "3"]);
        assert_eq!(
            all,
            [
                ("training.epochs", Value::Integer(3)),
                ("training.optimiser", Value::Choice("sgd")),
                ("training.warmup", Value::Real(0.2)),
                ("cache.enabled", Value::Switch(false)),
            ]
        );
        // One seed for both.
        let seed = Value::Integer(7);
        assert_eq!(parse(&["--seed", "7"]), [("training.seed", seed), ("split.seed", seed)]);
    }

    #[test]
    fn every_setting_with_something_to_choose_has_its_option_and_help() {
        let help = SettingArgs::augment_args(Command::new("new")).render_long_help().to_string();
        for setting in SETTINGS.iter().filter(|setting| setting.is_offered()) {
            assert!(help.contains(&format!("--{} <", setting.option)), "{} has no option", setting.key);
        }
        for line in [
            "--lr <X>\n          Peak learning rate; ten times larger with sgd where not given",
            "--weight-decay <X>\n          Pulls weights towards zero [default: 0.01]",
            "- sgd:   With momentum",
            "--val-fraction <F>\n          Share of samples for validation [default: 0.2]",
        ] {
            assert!(help.contains(line), "{line} is missing:\n{help}");
        }
    }
}
