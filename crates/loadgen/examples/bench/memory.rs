//! What thousands of long streams need in memory.

use std::process::{Command, Stdio};

use podium_domain::load::LoadPoint;

use crate::Outcome;
use crate::measure::measure;

/// The first argument of the process whose memory is measured.
pub const CHILD_ARGUMENT: &str = "--memory-child";
const STREAMS: u32 = 2_048;
const OUTPUT_TOKENS: u32 = 1_024;

/// 2,048 streams of 1,024 tokens, written as fast as the server can, in a process of its own.
pub fn run() -> Outcome<()> {
    let child = Command::new(std::env::current_exe()?).arg(CHILD_ARGUMENT).stdin(Stdio::null()).output()?;
    if !child.status.success() {
        return Err(format!("the memory benchmark failed: {}", String::from_utf8_lossy(&child.stderr)).into());
    }
    println!("### Memory: {STREAMS} streams × {OUTPUT_TOKENS} tokens at once, all events kept\n");
    println!("| peak resident | before the run | of it added by the run | events kept |");
    println!("|---|---|---|---|");
    println!("{}\n", String::from_utf8_lossy(&child.stdout).trim());
    Ok(())
}

/// The measured process.
pub fn child(_arguments: &[String]) -> Outcome<()> {
    crate::truth_process::prepare_process();
    let before = peak_resident_mib()?;
    let load = LoadPoint::Concurrency { concurrency: STREAMS };
    let outcome = measure((0, 0), load, STREAMS, OUTPUT_TOKENS)?.outcome;
    let events: u64 = outcome.samples.iter().map(|sample| u64::from(sample.content_events())).sum();
    let peak = peak_resident_mib()?;
    println!("| {peak:.1} MiB | {before:.1} MiB | {:.1} MiB | {events} |", peak - before);
    Ok(())
}

/// The most memory that this process ever held, MiB.
fn peak_resident_mib() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
