//! What can go wrong, and when: drawn from a seed.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGKILL of the worker; another one is started.
    WorkerKilled,
    /// SIGKILL of the load process.
    LoadKilled,
    /// SIGKILL of the engine.
    EngineKilled,
    /// SIGKILL of `podium serve` with its worker; it is started again.
    ServerKilled,
    /// SIGKILL of PostgreSQL.
    DatabaseKilled,
    /// PostgreSQL killed and kept away for longer than a lease.
    DatabaseAway,
    /// The SSH connection is cut.
    ConnectionCut,
    /// The worker's disk is full.
    DiskFull,
    /// The engine stands still.
    EngineHung,
    /// The engine answers 500.
    EngineErrors,
    /// The engine writes 1 GiB to its log.
    LogFlood,
    /// The worker's clock jumps by an hour.
    ClockStep,
    /// Another process takes the engine's port first.
    PortStolen,
    /// Two workers want the run.
    TwoWorkers,
}

impl Fault {
    /// Every one.
    pub const ALL: [Fault; 14] = [
        Fault::WorkerKilled,
        Fault::LoadKilled,
        Fault::EngineKilled,
        Fault::ServerKilled,
        Fault::DatabaseKilled,
        Fault::DatabaseAway,
        Fault::ConnectionCut,
        Fault::DiskFull,
        Fault::EngineHung,
        Fault::EngineErrors,
        Fault::LogFlood,
        Fault::ClockStep,
        Fault::PortStolen,
        Fault::TwoWorkers,
    ];

    /// Whether every candidate is to be measured whole all the same.
    pub fn is_survived_whole(self) -> bool {
        matches!(
            self,
            Fault::WorkerKilled
                | Fault::ServerKilled
                | Fault::DatabaseKilled
                | Fault::DatabaseAway
                | Fault::LogFlood
                | Fault::ClockStep
                | Fault::TwoWorkers
        )
    }

    /// Its word, as the command line takes it.
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// One round as it was drawn.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Its number, from 0.
    pub number: u32,
    /// What goes wrong.
    pub fault: Fault,
    /// How long after the run's first launch.
    pub after: Duration,
    /// For choices of the fault itself.
    pub choice: u64,
}

/// Runs without a fault take a little longer than this after their first launch.
const RUN: Duration = Duration::from_millis(5_500);

impl Draw {
    /// The round of this number. Each fault has its turn before any has a second one.
    pub fn of(seed: u64, number: u32, only: Option<Fault>) -> Self {
        let faults = Fault::ALL.len() as u32;
        let turn = number / faults;
        let mut order = Fault::ALL;
        let mut random = SplitMix(seed ^ (u64::from(turn) << 32));
        for at in (1..order.len()).rev() {
            order.swap(at, (random.next() % (at as u64 + 1)) as usize);
        }
        let mut random = SplitMix(seed.wrapping_add(u64::from(number).wrapping_mul(0x9e37_79b9)));
        let share = (random.next() >> 11) as f64 / (1u64 << 53) as f64;
        let fault = only.unwrap_or(order[(number % faults) as usize]);
        Draw { number, fault, after: RUN.mul_f64(share), choice: random.next() }
    }
}

/// SplitMix64: enough to draw moments with.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_rounds_and_every_fault_has_its_turn() {
        let draw = |seed| (0..28).map(move |number| Draw::of(seed, number, None));
        let same = |a: Draw, b: Draw| (a.fault, a.after, a.choice) == (b.fault, b.after, b.choice);
        assert!(draw(7).zip(draw(7)).all(|(a, b)| same(a, b)));
        assert!(!draw(7).zip(draw(8)).all(|(a, b)| same(a, b)));
        for turn in 0..2 {
            let drawn: HashSet<_> = draw(7).skip(turn * 14).take(14).map(|draw| draw.fault).collect();
            assert_eq!(drawn.len(), 14);
        }
    }
}
