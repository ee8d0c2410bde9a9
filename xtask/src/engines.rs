//! Real engines: llama.cpp, which the project puts in place itself, and vLLM and SGLang, which are only looked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::browser;
use crate::paths::Paths;
use crate::process::succeed;
use crate::steps::Steps;
use crate::tally::Tally;
use crate::test_task::{CargoTest, cargo_test};

/// The variable that names a folder of engines.
pub const FOLDER_VARIABLE: &str = "PODIUM_ENGINES_DIR";

/// The variable that tells tests where the tiny model is.
const MODELS_VARIABLE: &str = "PODIUM_MODELS_DIR";

/// What [`test`] needs in a folder of engines: the framework, the program, and how it gets there.
const PROGRAMS: [(&str, &str, &str); 3] = [
    ("llama.cpp", "llama/bin/llama-server", "engines/setup.sh FOLDER/llama"),
    ("vLLM", "vllm/bin/vllm", "an environment with vLLM's build for CPUs"),
    ("SGLang", "sglang/bin/python", "an environment with SGLang's build for CPUs"),
];

/// The folder of engines that the project fills itself, `<folder>/llama` alone.
#[must_use]
pub fn own_folder(paths: &Paths) -> PathBuf {
    paths.cache.join("engines")
}

fn own_models(paths: &Paths) -> PathBuf {
    own_folder(paths).join("llama/models")
}

/// Runs `engines/setup.sh`, which does nothing where it has been. Returns its last words.
///
/// # Errors
/// With the script's words.
pub fn set_up_llama(paths: &Paths) -> Result<String> {
    let mut script = Command::new("sh");
    script.arg(paths.root.join("engines/setup.sh")).arg(own_folder(paths).join("llama"));
    match succeed(&mut script)?.stdout.lines().last() {
        Some(line) => Ok(line.trim_start_matches("engines: ").to_owned()),
        None => bail!("engines/setup.sh said nothing, not even that it is done"),
    }
}

/// `cargo xtask test-engines`: the CPU plan over llama.cpp, vLLM and SGLang. Installs nothing.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn test(paths: &Paths) -> Result<bool> {
    let folder = std::env::var_os(FOLDER_VARIABLE).map_or_else(|| own_folder(paths), PathBuf::from);
    let mut steps = Steps::new(4);
    let mut tally = Tally::default();
    let found = steps.run("engines", "put them in place as said above, then run `make test-engines` again", || {
        look_for(&folder, &own_models(paths))?;
        Ok(folder.display().to_string())
    });
    let built = found && steps.run("binaries", "mend what the compiler names", || browser::build_binary(paths));
    if built {
        let advice = "read the engine's words above; `make test-engines` repeats everything";
        let environment = [(FOLDER_VARIABLE, folder), (MODELS_VARIABLE, own_models(paths))];
        let mut run = |name: &str, tests: &[&str]| {
            let mut report = String::new();
            steps.run(name, advice, || {
                let arguments = [&["test"], tests, &["--", "--ignored", "--show-output", "--test-threads=1"]].concat();
                let log = format!("engines-{}", tests.last().copied().unwrap_or_default());
                let test = CargoTest { name: &log, arguments: &arguments, environment: &environment };
                let output = cargo_test(paths, &test, &mut tally)?;
                report = report_in(&output.text).to_owned();
                Ok(output.remark)
            });
            println!("{report}");
        };
        run("each engine's life", &["--package", "podium-launcher", "--test", "real_engines"]);
        run("one report of all (minutes)", &["--package", "podium-tests", "--test", "it"]);
    }
    let passed = steps.finish();
    println!("\n{}", tally.table());
    Ok(passed)
}

/// Says everything that is missing at once.
fn look_for(folder: &Path, models: &Path) -> Result<()> {
    let mut missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(_, program, _)| !folder.join(program).is_file())
        .map(|(name, program, how)| format!("{name}: FOLDER/{program} ({how})"))
        .collect();
    if !models.join("tiny-llama.gguf").is_file() || !models.join("tiny-llama").is_dir() {
        missing.push(format!(
            "the tiny model: {} (engines/setup.sh {})",
            models.display(),
            models.with_file_name("").display()
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "missing, where FOLDER is {}:\n{}\nAn engine that needs variables has them as plain assignments in \
         FOLDER/<engine>/env. Nothing is installed for you; name another FOLDER with {FOLDER_VARIABLE}.",
        folder.display(),
        missing.join("\n")
    )
}

/// The Markdown report in what passed tests printed, from its title to the list of their names; empty where there is
/// none.
fn report_in(output: &str) -> &str {
    let Some(start) = output.find("\n# ") else { return "" };
    let report = &output[start..];
    report.split("\n\nsuccesses:").next().unwrap_or(report).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_found_between_the_other_lines() {
        let output = "test engines::x ... ok\n\nsuccesses:\n\n---- engines::x stdout ----\n[  1.0 s] run running\n\n\
                      # tiny · CPU\n\n| a |\n\n\nsuccesses:\n    engines::x\n\ntest result: ok.";
        assert_eq!(report_in(output), "# tiny · CPU\n\n| a |");
        assert_eq!(report_in("running 1 test\ntest engines::x ... FAILED\n"), "");
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let error = look_for(Path::new("/none"), Path::new("/none/llama/models")).expect_err("nothing is there");
        for part in ["llama/bin/llama-server", "vllm/bin/vllm", "sglang/bin/python", "tiny model", "PODIUM_ENGINES_DIR"]
        {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
