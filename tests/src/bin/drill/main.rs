//! The fault drill: whole runs of the real programs, each with one thing that goes wrong at a random moment, and a look
//! at what is left of it. `cargo xtask drill` builds and starts it.
//!
//! Everything that it touches is its own: a copy of the programs, a database, folders, addresses on the loopback.

mod checks;
mod fault;
mod inject;
mod procs;
mod record;
mod round;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;

use crate::fault::{Draw, Fault};
use crate::record::{Record, Round};
use crate::stage::Stage;

/// Faults at random moments of whole runs
#[derive(Debug, Parser)]
struct Arguments {
    /// How many rounds; the faults take turns
    #[arg(long, default_value_t = 20)]
    count: u32,

    /// Repeats the moments of an earlier drill, and goes on with one that was interrupted [default: a new one, printed]
    #[arg(long)]
    seed: Option<u64>,

    /// Only this fault
    #[arg(long, value_enum)]
    only: Option<Fault>,

    /// The folder for the results of each seed
    #[arg(long, value_name = "FOLDER")]
    records: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = arguments.seed.unwrap_or(now);
    println!("seed {seed}: `--seed {seed}` repeats these rounds, or goes on where they were interrupted");
    let mut record = Record::open(&arguments.records, seed);
    let rounds: Vec<_> = (0..arguments.count).map(|number| Draw::of(seed, number, arguments.only)).collect();
    let open: Vec<_> = rounds.into_iter().filter(|draw| !record.has(draw)).collect();
    if open.is_empty() {
        println!("every round of this seed was carried out");
    } else {
        let mut stage = Stage::set_up().await;
        for draw in open {
            let began = Instant::now();
            let outcome = round::carry_out(&mut stage, &draw).await;
            let round = Round::new(&draw, &outcome, began.elapsed());
            println!("{}", round.line(arguments.count));
            for problem in &outcome.problems {
                println!("      {problem}");
            }
            if !outcome.problems.is_empty() {
                println!("      the worker's words are in {}", stage.keep_log(draw.number).display());
            }
            record.add(round);
        }
        stage.take_down().await;
    }
    println!("\n{}", record.table());
    if record.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
