//! A snapshot of environment variables: what a host's processes inherit, looked up without touching global state.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Environment variables by name. Variables that are not UTF-8 are left out (children still inherit them).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_this_process() -> Self {
        let pairs =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(pairs.collect())
    }

    /// The variables of these pairs; a later pair of the same name wins.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable; `None` when it is not set or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first executable file of this name in the folders of `PATH`.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let folders = std::env::split_paths(self.get("PATH")?);
        folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|path| is_executable(path))
    }
}

/// Whether the path is a file (or a link to one) with an execute bit.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Reads a file of lines `export A=B C='D E'` or `A=B` the way a shell would set plain assignments, without running
/// anything: quotes are honoured, and there is no expansion. Blank lines and comments are skipped.
///
/// # Errors
/// The 1-based line number and text of the first line that is anything else.
pub(crate) fn parse_env_file(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = || format!("line {} is not a plain assignment: `{}`", index + 1, line.trim());
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains(['$', '`', ';', '&', '|', '<', '>', '\\', '(', ')']) {
            return Err(wrong());
        }
        let words = split_words(line).ok_or_else(wrong)?;
        let assignments = words.strip_prefix(&["export".to_owned()]).unwrap_or(&words);
        for word in assignments {
            let (name, value) = word.split_once('=').ok_or_else(wrong)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(wrong());
            }
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(pairs)
}

/// Splits at white space outside single and double quotes; `None` where a quote is not closed.
fn split_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_are_read_without_a_shell() {
        let text = "# a comment\n\nexport A=1 B='two words'\nC=\"x=y\"\n";
        let pairs = parse_env_file(text).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "two words"), ("C", "x=y")]);
    }

    #[test]
    fn anything_but_an_assignment_is_refused_with_its_line() {
        for bad in ["A=$(id)", "export A=`id`", "rm -rf x", "A=1; B=2", "1A=2", "A='open"] {
            let message = parse_env_file(&format!("OK=1\n{bad}\n")).unwrap_err();
            assert!(message.starts_with("line 2 "), "{message}");
        }
    }

    #[test]
    fn programs_are_found_on_the_snapshots_path_alone() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("engine");
        std::fs::write(&program, "").unwrap();
        let environment = Environment::from_pairs([("PATH", folder.path().to_str().unwrap())]);
        assert_eq!(environment.find_program("engine"), None, "not executable yet");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(environment.find_program("engine"), Some(program));
        assert_eq!(Environment::default().find_program("engine"), None);
    }
}
