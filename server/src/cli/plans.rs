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

/// The files named, and every `.yaml` and `.yml` file directly inside the folders named, in name order.
pub(super) fn files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let mut inside = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        inside.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}
