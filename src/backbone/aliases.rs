//! What other programs and older files call the tensors of a network.

use std::collections::BTreeSet;

/// The names of a family that are not those of its tree. Weight files, headers on the Hub and patterns may use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aliases {
    /// Wrappers that some libraries put before every name (`bert.`).
    pub wrappers: &'static [&'static str],
    /// Ends of names in older files, each with that of today.
    pub endings: &'static [(&'static str, &'static str)],
    /// Beginnings of names in other libraries, each with that of the tree. `#` stands for a number; `{0}` is the first of
    /// them, `{1+}` one more than the second.
    pub beginnings: &'static [(&'static str, &'static str)],
}

/// How one weight file names the tensors of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    aliases: Aliases,
    /// What the file puts before every name of the network; `None` where it does as the family's wrappers say.
    wrapper: Option<String>,
}

impl Naming {
    /// Finds out what stands before the names of the network's tensors, `wanted`, in a file with the tensors `names`.
    ///
    /// # Errors
    /// In words: several networks in the file would do.
    pub fn find<'n>(
        aliases: &Aliases,
        wanted: &BTreeSet<&str>,
        first: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Self, String> {
        let starts = |name: &'n str| {
            std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1)).filter_map(move |at| {
                let (before, rest) = name.split_at_checked(at)?;
                (aliases.renewed(rest) == first).then_some(before)
            })
        };
        let wrappers: BTreeSet<&str> = names.clone().flat_map(starts).collect();
        let fitting = |wrapper: &&str| {
            let inside = names.clone().filter_map(|name| name.strip_prefix(wrapper));
            inside.filter(|name| wanted.contains(aliases.renewed(name).as_str())).count()
        };
        let counts: Vec<(&str, usize)> =
            wrappers.iter().map(|wrapper| (*wrapper, fitting(wrapper))).collect();
        let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let best: Vec<&str> = counts.iter().filter(|(_, count)| *count == most).map(|(w, _)| *w).collect();
        let wrapper = match best[..] {
            [] => None,
            // The shortest sorts first: what stands there plainly is the network.
            [wrapper] | [wrapper @ "", ..] => Some(wrapper.to_string()),
            _ => return Err(format!("it holds several such networks: under {}", best.join(", "))),
        };
        Ok(Self { aliases: *aliases, wrapper })
    }

    /// A tensor's name as the tree has it; `None` for what is no part of the network.
    pub fn plain(&self, name: &str) -> Option<String> {
        match &self.wrapper {
            Some(wrapper) => name.strip_prefix(wrapper.as_str()).map(|rest| self.aliases.renewed(rest)),
            None => Some(self.aliases.plain(name)),
        }
    }
}

impl Aliases {
    /// All are called as in the tree.
    pub const NONE: Self = Self { wrappers: &[], endings: &[], beginnings: &[] };

    /// A path without the wrapper, if it has one.
    pub fn unwrapped<'p>(&self, path: &'p str) -> &'p str {
        self.wrappers.iter().find_map(|wrapper| path.strip_prefix(wrapper)).unwrap_or(path)
    }

    /// A tensor's name as the tree has it.
    pub fn plain(&self, name: &str) -> String {
        self.renewed(self.unwrapped(name))
    }

    /// A name without wrapper as the tree has it.
    fn renewed(&self, name: &str) -> String {
        let begun = self.beginnings.iter().find_map(|(old, new)| translate(name, old, new));
        let name = begun.unwrap_or_else(|| name.to_string());
        let ended = |(old, new): &(&str, &str)| Some(format!("{}{new}", name.strip_suffix(old)?));
        self.endings.iter().find_map(ended).unwrap_or(name)
    }
}

/// `name` with its beginning `old` replaced by `new`; `None` where it begins otherwise.
fn translate(name: &str, old: &str, new: &str) -> Option<String> {
    let (mut rest, mut numbers) = (name, Vec::new());
    for (place, fixed) in old.split('#').enumerate() {
        if place > 0 {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at_checked(end)?;
            numbers.push(number.parse::<u32>().ok()?);
            rest = after;
        }
        rest = rest.strip_prefix(fixed)?;
    }
    let mut out = String::new();
    let mut pieces = new.split(['{', '}']);
    while let Some(fixed) = pieces.next() {
        out.push_str(fixed);
        if let Some(slot) = pieces.next() {
            let number = numbers.get(slot.trim_end_matches('+').parse::<usize>().ok()?)?;
            out.push_str(&(number + u32::from(slot.ends_with('+'))).to_string());
        }
    }
    Some(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_the_tree() {
        let aliases = Aliases {
            wrappers: &["net.", "model."],
            endings: &[("Norm.gamma", "Norm.weight")],
            beginnings: &[],
        };
        let check = |name: &str, expected: &str| assert_eq!(aliases.plain(name), expected);
        check("net.layer.0.Norm.gamma", "layer.0.Norm.weight");
        check("model.layer.0.weight", "layer.0.weight");
        check("stages.0.gamma", "stages.0.gamma");
        check("layer.net.weight", "layer.net.weight");
        assert_eq!(Aliases::default().plain("net.Norm.gamma"), "net.Norm.gamma");
    }

    #[test]
    fn names_of_other_libraries_become_those_of_the_tree() {
        let beginnings = &[("stages.#.layers.#.conv", "layer{0+}.{1}.conv1"), ("stem.conv", "conv1")];
        let aliases = Aliases { wrappers: &[], endings: &[], beginnings };
        let check = |name: &str, expected: &str| assert_eq!(aliases.plain(name), expected);
        check("stages.0.layers.12.conv.weight", "layer1.12.conv1.weight");
        check("stem.conv.weight", "conv1.weight");
        check("stages.x.layers.1.conv.weight", "stages.x.layers.1.conv.weight");
        check("stages.99999999999.layers.1.conv.weight", "stages.99999999999.layers.1.conv.weight");
    }

    #[test]
    fn the_wrapper_is_found_in_the_file() {
        let aliases = Aliases { wrappers: &["net."], ..Aliases::default() };
        let wanted = BTreeSet::from(["a.x", "b.x"]);
        let find = |names: &[&str]| Naming::find(&aliases, &wanted, "a.x", names.iter().copied());
        let check = |names: &[&str], expected: [Option<&str>; 2]| {
            let naming = find(names).unwrap();
            assert_eq!([0, 1].map(|n| naming.plain(names[n])), expected.map(|e| e.map(str::to_owned)));
        };
        check(&["module.net.a.x", "head.x", "module.net.b.x"], [Some("a.x"), None]);
        check(&["a.x", "b.x", "head.x"], [Some("a.x"), Some("b.x")]);
        // More than one place where the first tensor could be: the one with all the others, then the plain one.
        check(&["b.a.x", "a.x", "b.x"], [Some("b.a.x"), Some("a.x")]);
        check(&["teacher.a.x", "a.x", "b.x", "teacher.b.x"], [Some("teacher.a.x"), Some("a.x")]);
        check(&["net.b.x", "c.x"], [Some("b.x"), Some("c.x")]);
        let why = find(&["one.a.x", "two.a.x", "one.b.x", "two.b.x"]).unwrap_err();
        assert!(why.contains("under one., two."), "{why}");
    }
}
