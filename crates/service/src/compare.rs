//! Candidates of any runs side by side, and one plan over time.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use podium_domain::command_flags::flags_of;
use podium_domain::fairness::{self, Finding, Line};
use podium_domain::report::{Report, ReportInput};
use podium_domain::row::ResultRow;
use podium_store::{RunQuery, RunSort};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;

/// Candidates side by side at most: more columns fit on no screen.
pub const MAX_PICKS: usize = 12;

/// Runs of one plan that are looked at for a trend, the newest ones.
const MAX_TREND_RUNS: usize = 40;

/// Runs of one model among which those of the same plan are looked for.
const MAX_SIBLINGS: i64 = 300;

/// A candidate of a run in one scenario, written `run/candidate/scenario`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pick {
    /// The run.
    pub run_id: Uuid,
    /// The candidate's id.
    pub candidate_id: String,
    /// The scenario's name.
    pub scenario: String,
}

impl Pick {
    /// The candidate and scenario of a row of a run.
    pub fn of(run_id: Uuid, row: &ResultRow) -> Self {
        Pick { run_id, candidate_id: row.candidate_id.clone(), scenario: row.scenario().to_owned() }
    }

    fn is(&self, row: &ResultRow) -> bool {
        row.candidate_id == self.candidate_id && row.scenario() == self.scenario
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.run_id, self.candidate_id, self.scenario)
    }
}

impl FromStr for Pick {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, rest) = text.split_once('/').ok_or(())?;
        // A scenario's name holds no slash; ids of other tools' candidates may.
        let (candidate, scenario) = rest.rsplit_once('/').ok_or(())?;
        let run_id = run.parse().map_err(|_| ())?;
        Ok(Pick { run_id, candidate_id: candidate.to_owned(), scenario: scenario.to_owned() })
    }
}

/// One column of a comparison.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What was picked.
    pub pick: Pick,
    /// The run's title.
    pub run_title: String,
    /// When the run was asked for.
    pub run_at: OffsetDateTime,
    /// The row.
    pub row: ResultRow,
}

/// Candidates side by side.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// The candidates, in the order in which they were picked.
    pub columns: Vec<Compared>,
    /// Picks that there is no row for.
    pub missing: Vec<Pick>,
    /// Facts and flags, a line each.
    pub lines: Vec<ComparedLine>,
    /// Whether the comparison is fair.
    pub fairness: Vec<Line>,
}

/// One fact or flag of every candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedLine {
    /// What it is.
    pub name: String,
    /// Whether it is a flag of the command.
    pub is_flag: bool,
    /// Its value for each column; `None` where it is not known or not given.
    pub values: Vec<Option<String>>,
}

impl ComparedLine {
    /// Whether the candidates differ in it.
    pub fn differs(&self) -> bool {
        self.values.windows(2).any(|pair| pair[0] != pair[1])
    }
}

impl Comparison {
    fn new(columns: Vec<Compared>, missing: Vec<Pick>) -> Self {
        let rows: Vec<&ResultRow> = columns.iter().map(|column| &column.row).collect();
        let lines = facts(&rows).into_iter().chain(flags(&rows)).collect();
        // One row alone is compared with nothing.
        let fairness = if rows.len() > 1 { fairness::prove(rows) } else { Vec::new() };
        Comparison { columns, missing, lines, fairness }
    }

    /// What makes the comparison unfair.
    pub fn unfair(&self) -> impl Iterator<Item = &Line> {
        self.fairness.iter().filter(|line| line.finding == Finding::Fail)
    }

    /// A report of these rows, for its charts.
    pub fn report(&self) -> Report {
        let rows = self.columns.iter().map(|column| column.row.clone()).collect();
        Report::build(ReportInput { rows, ..ReportInput::default() })
    }
}

/// A fact of a row in words.
type Fact = fn(&ResultRow) -> Option<String>;

/// What is compared of rows besides figures and flags.
const FACTS: [(&str, Fact); 10] = [
    ("Framework", |row| Some(row.framework_name().to_owned())),
    ("Version", |row| row.framework_version.clone()),
    ("Commit", |row| row.framework_commit.clone()),
    ("Model", |row| row.model.clone()),
    ("GPU", |row| row.hardware.gpu_model.clone()),
    ("GPUs", |row| row.hardware.gpu_count.map(|count| count.to_string())),
    ("Scenario", |row| Some(row.scenario().to_owned())),
    ("Load", ResultRow::load_text),
    ("Requests", |row| row.workload.num_prompts.map(|count| count.to_string())),
    ("Simulated", |row| Some(if row.is_simulated() { "yes" } else { "no" }.to_owned())),
];

fn facts(rows: &[&ResultRow]) -> Vec<ComparedLine> {
    let line = |(name, fact): &(&str, Fact)| ComparedLine {
        name: (*name).to_owned(),
        is_flag: false,
        values: rows.iter().map(|row| fact(row)).collect(),
    };
    FACTS.iter().map(line).filter(|line| line.values.iter().any(Option::is_some)).collect()
}

fn flags(rows: &[&ResultRow]) -> Vec<ComparedLine> {
    let maps: Vec<_> = rows.iter().map(|row| flags_of(row.launch_command().unwrap_or_default())).collect();
    let names: BTreeSet<&String> = maps.iter().flat_map(|map| map.keys()).collect();
    let line = |name: &String| ComparedLine {
        name: format!("--{name}"),
        is_flag: true,
        values: maps.iter().map(|map| map.get(name).cloned()).collect(),
    };
    names.into_iter().map(line).collect()
}

/// The best of one framework in one scenario of one run.
#[derive(Debug, Clone)]
pub struct TrendPoint {
    /// The run, the candidate and the scenario.
    pub pick: Pick,
    /// When the run was asked for.
    pub run_at: OffsetDateTime,
    /// The row.
    pub row: ResultRow,
}

/// One plan over time.
#[derive(Debug, Clone)]
pub struct Trend {
    /// The plan's title.
    pub title: String,
    /// How many runs of it there are, at most those that are looked at.
    pub runs: usize,
    /// The best of each framework and scenario in each run, by framework, scenario and time.
    pub points: Vec<TrendPoint>,
}

impl Service {
    /// Candidates of any runs side by side; at most [`MAX_PICKS`], what is more is left out.
    pub async fn compare(&self, caller: Caller, picks: &[Pick]) -> Result<Comparison> {
        caller.require(Role::Viewer)?;
        let mut columns = Vec::new();
        let mut missing = Vec::new();
        for pick in picks.iter().take(MAX_PICKS) {
            match self.compared(pick).await? {
                Some(column) => columns.push(column),
                None => missing.push(pick.clone()),
            }
        }
        Ok(Comparison::new(columns, missing))
    }

    async fn compared(&self, pick: &Pick) -> Result<Option<Compared>> {
        let run = match self.store().run(pick.run_id).await {
            Ok(run) => run,
            Err(podium_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let row = self.run_rows(pick.run_id).await?.into_iter().find(|row| pick.is(row));
        Ok(row.map(|row| Compared { pick: pick.clone(), run_title: run.title, run_at: run.created_at, row }))
    }

    /// What can be picked of a run: its measured rows, in their order.
    pub async fn candidates_to_compare(&self, caller: Caller, run_id: Uuid) -> Result<Vec<ResultRow>> {
        caller.require(Role::Viewer)?;
        self.store().run(run_id).await?;
        let mut rows = self.run_rows(run_id).await?;
        rows.retain(ResultRow::is_measured);
        Ok(rows)
    }

    async fn run_rows(&self, run_id: Uuid) -> Result<Vec<ResultRow>> {
        let rows = self.store().rows(run_id).await?.into_iter();
        rows.map(|row| serde_json::from_value(row.row).map_err(Error::internal)).collect()
    }

    /// The runs of the same plan as `run_id`'s, over time.
    pub async fn trend(&self, caller: Caller, run_id: Uuid) -> Result<Trend> {
        caller.require(Role::Viewer)?;
        let run = self.store().run(run_id).await?;
        let query = RunQuery { model: Some(run.model.clone()), sort: RunSort::Newest, ..RunQuery::default() };
        let listed = self.store().listed_runs(&query, MAX_SIBLINGS).await?;
        let mut same = Vec::new();
        for sibling in listed.iter().filter(|sibling| sibling.title == run.title) {
            let other = self.store().run(sibling.id).await?;
            if other.plan == run.plan && same.len() < MAX_TREND_RUNS {
                same.push(sibling);
            }
        }
        let mut points = Vec::new();
        for sibling in &same {
            let Some(stored) = self.store().report_of_run(sibling.id).await? else { continue };
            let report: Report = serde_json::from_value(stored.model).map_err(Error::internal)?;
            let best = report.best_by_framework.iter().flat_map(|table| report.rows_of(&table.rows));
            points.extend(best.map(|row| TrendPoint {
                pick: Pick::of(sibling.id, row),
                run_at: sibling.created_at,
                row: row.clone(),
            }));
        }
        points.sort_by(|a, b| {
            (&a.row.framework, a.row.scenario(), a.run_at).cmp(&(&b.row.framework, b.row.scenario(), b.run_at))
        });
        Ok(Trend { title: run.title, runs: same.len(), points })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn column(framework: &str, id: &str, version: &str, command: &str) -> Compared {
        let row: ResultRow = serde_json::from_value(json!({
            "framework": framework, "candidate_id": id, "framework_version": version, "status": "ok",
            "workload": {"scenario": "chat"}, "metrics": {"request_throughput": 4.0}, "server_command": command,
        }))
        .unwrap();
        let pick = Pick::of(Uuid::nil(), &row);
        Compared { pick, run_title: String::new(), run_at: OffsetDateTime::UNIX_EPOCH, row }
    }

    #[test]
    fn a_pick_survives_the_address_and_nonsense_is_none() {
        let pick = Pick { run_id: Uuid::nil(), candidate_id: "a/b".to_owned(), scenario: "chat".to_owned() };
        assert_eq!(pick.to_string().parse(), Ok(pick));
        for wrong in ["", "x/y/z", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000/a"] {
            assert_eq!(wrong.parse::<Pick>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn what_differs_is_told_from_what_does_not() {
        let comparison = Comparison::new(
            vec![
                column("vllm", "a", "0.10.1", "vllm serve m --max-num-seqs 64 --dtype bfloat16 --port 1"),
                column("vllm", "b", "0.10.2", "vllm serve m --max-num-seqs 128 --dtype bfloat16 --eager --port 2"),
            ],
            Vec::new(),
        );
        let differing: Vec<_> =
            comparison.lines.iter().filter(|line| line.differs()).map(|line| line.name.as_str()).collect();
        assert_eq!(differing, ["Version", "--eager", "--max-num-seqs"]);
        let eager = comparison.lines.iter().find(|line| line.name == "--eager").unwrap();
        assert_eq!(eager.values, [None, Some("on".to_owned())]);
        assert!(comparison.lines.iter().all(|line| line.name != "--port"), "it changes nothing that is measured");
    }

    #[test]
    fn other_hardware_makes_it_unfair() {
        let mut columns = vec![column("vllm", "a", "1", "m"), column("sglang", "b", "1", "m")];
        for (column, gpu) in columns.iter_mut().zip(["H100", "A100"]) {
            column.row.hardware.gpu_model = Some(gpu.to_owned());
            column.row.hardware.gpu_count = Some(1);
        }
        let comparison = Comparison::new(columns.clone(), Vec::new());
        assert!(comparison.unfair().any(|line| line.check == fairness::Check::Hardware), "{:?}", comparison.fairness);
        columns.truncate(1);
        assert!(Comparison::new(columns, Vec::new()).fairness.is_empty());
    }
}
