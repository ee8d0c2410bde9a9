//! Reading plan files for commands.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context as _;
use podium_domain::plan::{Dataset, Model, Plan};
use podium_formats::plan::{self, Problem, Surroundings};

/// A plan's text.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read the plan {}", path.display()))
}

/// The text of a file that a plan names: relative to the current folder, as in a run, else to the plan's own folder.
pub(super) fn text_beside(plan: &Path, name: &str) -> io::Result<String> {
    match (fs::read_to_string(name), plan.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => fs::read_to_string(folder.join(name)),
        (outcome, _) => outcome,
    }
}

/// The longest request of a plan's file, where this machine can tell. The file is looked for like any that a plan names.
pub(super) fn longest_row(plan: &Path) -> impl Fn(&Dataset, &Model) -> Result<Option<u32>, String> {
    move |dataset, model| {
        let Some(name) = &dataset.path else { return Ok(None) };
        let beside = plan.parent().map(|folder| folder.join(name)).filter(|_| !Path::new(name).exists());
        podium_service::longest_row(&beside.unwrap_or_else(|| name.into()), dataset, model)
    }
}

/// A plan that has no problems, or all of its problems as lines on standard error.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<Plan>> {
    let surroundings = Surroundings { longest_row: Some(&longest_row(path)), ..Surroundings::default() };
    let reading = plan::read_with(&text(path)?, &surroundings);
    for problem in &reading.problems {
        eprintln!("{}", line(path, problem));
    }
    Ok(reading.plan)
}

/// `file:line: path: message`
pub(super) fn line(file: &Path, problem: &Problem) -> String {
    let place = problem.line.map_or_else(|| file.display().to_string(), |line| format!("{}:{line}", file.display()));
    match problem.path.as_str() {
        "" => format!("{place}: {}", problem.message),
        path => format!("{place}: {path}: {}", problem.message),
    }
}

/// The files named, and every `.yaml` and `.yml` file below the folders named, in name order. Hidden files and folders
/// are left out, and links to folders are not followed.
pub(super) fn files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = files.len();
            inside(path, &mut files)?;
            anyhow::ensure!(files.len() > before, "there is no .yaml or .yml file below {}", path.display());
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn inside(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>().with_context(|| format!("in {}", folder.display()))?;
    entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().with_context(|| entry.path().display().to_string())?);
        if kind.is_dir() {
            inside(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") && path.is_file()
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_to_the_bottom() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.yaml", "a/deep/c.yml", "a/notes.txt", ".hidden/d.yaml", ".e.yaml"] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("a/loop")).unwrap();
        let found = files(&[folder.path().to_owned(), at("named.txt")]).unwrap();
        assert_eq!(found, [at("a/deep/c.yml"), at("b.yaml"), at("named.txt")]);
        fs::create_dir(at("empty")).unwrap();
        assert!(files(&[at("empty")]).unwrap_err().to_string().starts_with("there is no .yaml"));
    }
}
