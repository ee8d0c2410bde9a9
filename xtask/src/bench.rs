//! `cargo xtask bench`: the load generator against a server's own truth, and what a token costs it; `bench-peers`:
//! what it costs `vllm bench serve`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::engines;
use crate::paths::Paths;
use crate::process::{cargo, succeed};

/// What stands around the figures in `docs/benchmarks.md`.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->\n";
const END: &str = "<!-- end of figures -->\n";
/// The same for the comparison with a peer.
const PEERS_BEGIN: &str = "<!-- peers: written by `cargo xtask bench-peers --write` -->\n";
const PEERS_END: &str = "<!-- end of peers -->\n";
/// The variable that names a program `vllm`.
const VLLM_VARIABLE: &str = "PODIUM_VLLM";

/// Builds the benchmark in release, runs it and prints its tables; with `write` they replace those in the document.
///
/// # Errors
/// When the benchmark cannot be built or run, or the document cannot be written.
pub fn run(paths: &Paths, write: bool) -> Result<bool> {
    println!("building in release …");
    succeed(cargo(paths).args(["build", "--release", "--package", "podium-loadgen", "--example", "bench"]))?;
    println!("measuring, about four minutes; other work on this machine shows in the figures …\n");
    let busy_before = cpu_ticks();
    let program = paths.target.join("release/examples/bench");
    let tables = succeed(Command::new(&program).current_dir(&paths.root))?.stdout;
    let figures = format!("{}\n\n{tables}", machine(busy_before));
    println!("{figures}");
    if write {
        let document = paths.root.join("docs/benchmarks.md");
        replace_figures(&document, (BEGIN, END), &figures)?;
        println!("written to {}", document.display());
    }
    Ok(true)
}

/// Compares what a token costs this load generator and `vllm bench serve`, in one run.
///
/// # Errors
/// When the benchmark or the peer cannot be built, installed or run, or the document cannot be written.
pub fn run_peers(paths: &Paths, write: bool) -> Result<bool> {
    let vllm = vllm(paths)?;
    engines::set_up_llama(paths)?;
    let tokenizer = engines::own_folder(paths).join("llama/models/tiny-llama");
    println!("building in release …");
    let package = ["build", "--release", "--package", "podium-loadgen"];
    succeed(cargo(paths).args(package).args(["--example", "bench", "--bin", "podium-agent"]))?;
    println!("measuring; {} takes most of the time to start …\n", vllm.display());
    let busy_before = cpu_ticks();
    let release = paths.target.join("release");
    let mut bench = Command::new(release.join("examples/bench"));
    bench.arg("peers").args([vllm.as_path(), &tokenizer, &release.join("podium-agent")]).current_dir(&paths.root);
    let table = succeed(&mut bench)?.stdout;
    let version = succeed(Command::new(&vllm).arg("--version"))?.stdout;
    let version = version.lines().last().unwrap_or_default().trim();
    let figures = format!("{} vLLM {version}.\n\n{table}", machine(busy_before));
    println!("{figures}");
    if write {
        let document = paths.root.join("docs/benchmarks.md");
        replace_figures(&document, (PEERS_BEGIN, PEERS_END), &figures)?;
        println!("written to {}", document.display());
    }
    Ok(true)
}

/// The peer's program: the named one, one of the folder of engines, or one that is installed into the cache now.
fn vllm(paths: &Paths) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(VLLM_VARIABLE) {
        return Ok(PathBuf::from(named));
    }
    let engines = std::env::var_os(engines::FOLDER_VARIABLE).map(PathBuf::from);
    let environment = paths.cache.join("peers/vllm");
    let own = environment.join("bin/vllm");
    let found =
        engines.map(|folder| folder.join("vllm/bin/vllm")).into_iter().chain([own.clone()]).find(|p| p.is_file());
    if let Some(found) = found {
        return Ok(found);
    }
    println!("installing vLLM into {}; {VLLM_VARIABLE} names one that is there …", environment.display());
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    succeed(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "vllm[bench]"]))?;
    Ok(own)
}

fn replace_figures(document: &Path, marks: (&str, &str), figures: &str) -> Result<()> {
    let text = fs::read_to_string(document).with_context(|| format!("cannot read {}", document.display()))?;
    let replaced = with_figures(&text, marks, figures).with_context(|| {
        format!("{} has no place for figures: it needs the lines {}{}", document.display(), marks.0, marks.1)
    })?;
    fs::write(document, replaced).with_context(|| format!("cannot write {}", document.display()))
}

/// `text` with other figures between its marks; `None` where it has no marks.
fn with_figures(text: &str, (begin, end): (&str, &str), figures: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_old, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{}\n{end}{after}", figures.trim_end()))
}

/// The machine in one line, with what else it did meanwhile.
fn machine(before: Option<CpuTicks>) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut line = format!("{model}, {cores} cores");
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        // Writing to a string cannot fail.
        let _ = write!(line, "; load average at the end {}", load.split(' ').next().unwrap_or_default());
    }
    if let (Some(before), Some(after)) = (before, cpu_ticks()) {
        let share = (after.stolen - before.stolen) as f64 / (after.total - before.total).max(1) as f64;
        let _ = write!(line, "; {:.1} % of its time was taken by other virtual machines", share * 100.0);
    }
    line + "."
}

/// Clock ticks of all processors since the machine's start.
#[derive(Clone, Copy, Debug)]
struct CpuTicks {
    total: u64,
    /// Wanted by this machine and given to others on the same host.
    stolen: u64,
}

fn cpu_ticks() -> Option<CpuTicks> {
    ticks_of(&fs::read_to_string("/proc/stat").ok()?)
}

fn ticks_of(stat: &str) -> Option<CpuTicks> {
    let ticks: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).map_while(|tick| tick.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already.
    Some(CpuTicks { total: ticks.iter().take(8).sum(), stolen: *ticks.get(7)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_take_the_place_of_old_ones() {
        let text = format!("# Title\n\n{BEGIN}old\n{END}after\n");
        let expected = format!("# Title\n\n{BEGIN}new\n{END}after\n");
        assert_eq!(with_figures(&text, (BEGIN, END), "new\n\n"), Some(expected));
        assert_eq!(with_figures("# Title\n", (BEGIN, END), "new"), None);
    }

    #[test]
    fn guests_are_not_counted_twice() {
        let ticks = ticks_of("cpu  10 1 5 80 2 0 1 3 7 0\ncpu0 1 1").unwrap();
        assert_eq!((ticks.total, ticks.stolen), (102, 3));
    }
}
