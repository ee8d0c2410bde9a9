//! What was seen, round by round: on disk at once, so that an interrupted drill goes on.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Draw, Fault};
use crate::round::Outcome;

/// One round as it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Round {
    number: u32,
    fault: Fault,
    after_ms: u64,
    /// Whether the fault took place before the run had ended.
    hit: bool,
    seconds: f64,
    /// Measurements that were done when the fault took place, and at the end.
    done_before: usize,
    done: usize,
    launches: usize,
    candidates: usize,
    problems: Vec<String>,
}

impl Round {
    pub fn new(draw: &Draw, outcome: &Outcome, took: Duration) -> Self {
        Round {
            number: draw.number,
            fault: draw.fault,
            after_ms: u64::try_from(draw.after.as_millis()).unwrap_or(u64::MAX),
            hit: outcome.hit,
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            done_before: outcome.done_before,
            done: outcome.done,
            launches: outcome.launches,
            candidates: outcome.candidates,
            problems: outcome.problems.clone(),
        }
    }

    /// One line for people.
    pub fn line(&self, of: u32) -> String {
        let verdict = if self.problems.is_empty() { "ok" } else { "FAILED" };
        let hit = if self.hit { "" } else { ", too late to be felt" };
        format!(
            "[{:>3}/{of}] {:<15} after {:>4.1} s{hit}: {verdict} in {:.0} s, {} of {} measurements, {} launches of {} candidates",
            self.number + 1,
            self.fault.word(),
            Duration::from_millis(self.after_ms).as_secs_f64(),
            self.seconds,
            self.done,
            2 * self.candidates,
            self.launches,
            self.candidates
        )
    }
}

/// The rounds of one seed.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    rounds: Vec<Round>,
}

impl Record {
    /// What there is of this seed.
    pub fn open(folder: &Path, seed: u64) -> Self {
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let path = folder.join(format!("{seed}.jsonl"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        // A line that was cut off is a round that was not carried out.
        let rounds = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Record { path, rounds }
    }

    pub fn has(&self, draw: &Draw) -> bool {
        self.rounds.iter().any(|round| (round.number, round.fault) == (draw.number, draw.fault))
    }

    pub fn add(&mut self, round: Round) {
        let line = serde_json::to_string(&round).expect("a round is JSON");
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        self.rounds.push(round);
    }

    pub fn passed(&self) -> bool {
        self.rounds.iter().all(|round| round.problems.is_empty())
    }

    /// Everything by fault, as a table of Markdown.
    pub fn table(&self) -> String {
        let mut by_fault: BTreeMap<Fault, Vec<&Round>> = BTreeMap::new();
        for round in &self.rounds {
            by_fault.entry(round.fault).or_default().push(round);
        }
        let header = "| fault | rounds | felt | passed | done before → after | most launches beyond one a candidate | median, longest (s) |\n|---|---|---|---|---|---|---|\n";
        let mut text = header.to_owned();
        for (fault, rounds) in &by_fault {
            text += &row(&fault.word(), rounds);
        }
        text + &row("all", &self.rounds.iter().collect::<Vec<_>>())
    }
}

fn row(name: &str, rounds: &[&Round]) -> String {
    let count = |test: fn(&Round) -> bool| rounds.iter().filter(|round| test(round)).count();
    let sum = |value: fn(&Round) -> usize| rounds.iter().map(|round| value(round)).sum::<usize>();
    let mut seconds: Vec<f64> = rounds.iter().map(|round| round.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    format!(
        "| {name} | {} | {} | {} | {} → {} | {} | {:.0}, {:.0} |\n",
        rounds.len(),
        count(|round| round.hit),
        count(|round| round.problems.is_empty()),
        sum(|round| round.done_before),
        sum(|round| round.done),
        rounds.iter().map(|round| round.launches.saturating_sub(round.candidates)).max().unwrap_or(0),
        seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
        seconds.last().copied().unwrap_or_default(),
    )
}
