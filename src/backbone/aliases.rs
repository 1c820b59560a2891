//! What other programs and older files call the tensors of a network.

/// The names of a family that are not those of its tree. Weight files, headers on the Hub and patterns may use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aliases {
    /// Wrappers that some libraries put before every name (`bert.`).
    pub wrappers: &'static [&'static str],
    /// Ends of names in older files, each with that of today.
    pub endings: &'static [(&'static str, &'static str)],
}

impl Aliases {
    /// A path without the wrapper, if it has one.
    pub fn unwrapped<'p>(&self, path: &'p str) -> &'p str {
        self.wrappers.iter().find_map(|wrapper| path.strip_prefix(wrapper)).unwrap_or(path)
    }

    /// A tensor's name as the tree has it.
    pub fn plain(&self, name: &str) -> String {
        let name = self.unwrapped(name);
        let renewed = |(old, new): &(&str, &str)| Some(format!("{}{new}", name.strip_suffix(old)?));
        self.endings.iter().find_map(renewed).unwrap_or_else(|| name.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_the_tree() {
        let aliases = Aliases { wrappers: &["net.", "model."], endings: &[("Norm.gamma", "Norm.weight")] };
        let check = |name: &str, expected: &str| assert_eq!(aliases.plain(name), expected);
        check("net.layer.0.Norm.gamma", "layer.0.Norm.weight");
        check("model.layer.0.weight", "layer.0.weight");
        check("stages.0.gamma", "stages.0.gamma");
        check("layer.net.weight", "layer.net.weight");
        assert_eq!(Aliases::default().plain("net.Norm.gamma"), "net.Norm.gamma");
    }
}
