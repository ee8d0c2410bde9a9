//! Throws mutated plans, help texts, options files and result rows at the parsers until the time is up.
//!
//! ```sh
//! cargo run -p podium-formats --example fuzz -- 600 1    # seconds, seed
//! ```
//!
//! An input that panics or breaks an invariant is written to `fuzz-failure.txt` in the current folder, and the exit
//! code is 1. The same seed makes the same inputs. `fuzz/` drives the same checks by coverage, with a nightly compiler.

mod checks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use podium_domain::framework::Framework;
use podium_formats::help::{self, HelpSet};
use podium_formats::{cookbook, plan};

use checks::{Kind, check};

const KINDS: [Kind; 4] = [Kind::Plan, Kind::Help, Kind::Options, Kind::Rows];

/// Pieces with a meaning in one of the formats.
const PIECES: [&str; 44] = [
    ": ",
    ":",
    "- ",
    "\n",
    "\n  ",
    "\n      ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "<<: ",
    "'",
    "\"",
    "|",
    ">-",
    "#",
    "!!int ",
    "? ",
    "---\n",
    "...\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "é",
    "\0",
    "null",
    "true",
    "-1",
    "0",
    "1e309",
    "18446744073709551616",
    "0x7fffffff",
    ".nan",
    "--flag",
    "[--alias]",
    "{a,b}",
    "(default: 1)",
    "  ",
    "search_space",
    "max_num_seqs",
    "\"status\": \"ok\"",
];

const OPTIONS: &str = "backend: pytorch\nkv_cache_config:\n  dtype: fp8\n  free_gpu_memory_fraction: 0.8\n\
                       scheduler_config: {capacity_scheduler_policy: MAX_UTILIZATION}\n";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(seconds)), Some(Ok(seed)), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: fuzz SECONDS SEED");
        return ExitCode::from(2);
    };
    // A caught panic is reported once, with its input, below.
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = Seeds::new();
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1));
    let started = Instant::now();
    let mut counts = [0u64; KINDS.len()];
    let (mut accepted, mut slowest) = (0u64, Duration::ZERO);
    while started.elapsed() < Duration::from_secs(seconds) {
        let index = random.below(KINDS.len());
        let input = mutate(&mut random, &seeds, KINDS[index]);
        let before = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| check(KINDS[index], &input, &seeds.help))) {
            Ok(Ok(valid)) => accepted += u64::from(valid),
            outcome => {
                let reason = outcome.map_or_else(|_| "panicked".to_owned(), |result| result.unwrap_err());
                let saved = std::fs::write("fuzz-failure.txt", &input);
                eprintln!("{:?}: {reason}; the input is in fuzz-failure.txt ({saved:?})", KINDS[index]);
                return ExitCode::FAILURE;
            }
        }
        slowest = slowest.max(before.elapsed());
        counts[index] += 1;
    }
    let total: u64 = counts.iter().sum();
    println!("{total} inputs in {seconds} s with seed {seed}, {accepted} of them valid, no failure");
    println!("slowest {} ms; {:?}", slowest.as_millis(), KINDS.iter().zip(counts).collect::<Vec<_>>());
    ExitCode::SUCCESS
}

/// What inputs are made from.
struct Seeds {
    plans: Vec<String>,
    help: HelpSet,
}

impl Seeds {
    fn new() -> Self {
        let starter = plan::Starter {
            model_name: "org/model".to_owned(),
            frameworks: Framework::ALL.to_vec(),
            gpu_model: Some("H100".to_owned()),
            gpu_count: 2,
        };
        let mut plans = vec![plan::blank(&starter)];
        plans.extend(cookbook::PLANS.iter().step_by(6).map(|entry| entry.yaml.to_owned()));
        let mut set = HelpSet::default();
        set.add(Framework::Vllm, help::parse(HELP));
        Seeds { plans, help: set }
    }

    fn pick(&self, random: &mut Random, kind: Kind) -> &[u8] {
        match kind {
            Kind::Plan => self.plans[random.below(self.plans.len())].as_bytes(),
            Kind::Help => HELP.as_bytes(),
            Kind::Options => OPTIONS.as_bytes(),
            Kind::Rows => include_bytes!("../../src/report/fixtures/rows.jsonl"),
        }
    }
}

const HELP: &str = include_str!("../../src/fixtures/vllm-serve.txt");

/// A seed text with a few places changed.
fn mutate(random: &mut Random, seeds: &Seeds, kind: Kind) -> Vec<u8> {
    let mut text = seeds.pick(random, kind).to_vec();
    for _ in 0..1 + random.below(6) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(30)).min(text.len());
        match random.below(7) {
            0 => drop(text.drain(at..end)),
            1 => {
                text.splice(at..at, PIECES[random.below(PIECES.len())].bytes());
            }
            2 => {
                text.splice(at..end, PIECES[random.below(PIECES.len())].bytes());
            }
            3 if at < text.len() => text[at] ^= 1 << random.below(8),
            // A piece of another place, of this text or of another of its kind.
            4 => {
                let other = seeds.pick(random, kind);
                let from = random.below(other.len());
                let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
                text.splice(at..at, piece);
            }
            // A line again, or many times.
            5 => {
                let start = text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |index| index + 1);
                let stop = text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |index| at + index + 1);
                let line = text[start..stop].repeat(1 + random.below(40));
                text.splice(start..start, line);
            }
            _ => {
                let number = [0, 1, random.next() as i64, i64::MIN, i64::MAX][random.below(5)].to_string();
                text.splice(at..end, number.bytes());
            }
        }
    }
    text
}

/// Marsaglia's xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
